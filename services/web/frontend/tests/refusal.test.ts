import { expect, test } from "vitest";
import { NO_ACCESS, refusalFor, SIGNED_OUT } from "../src/closecodes";
import { wayOut } from "../src/refusal";

test("a reader who may come back signs in again and returns", () => {
  const address = "/accounts/login/?next=%2Finbox%2F";
  expect(wayOut(SIGNED_OUT, "/inbox/")).toEqual([address, "Sign in"]);
});

test("a suspended reader signs in, where they read why", () => {
  const refusal = refusalFor(4503);
  expect(refusal.message).toContain("Sign in");
  expect(wayOut(refusal, "/rooms/")[0]).toMatch(/^\/accounts\/login\//);
});

test("what is gone leads to the others of its kind, anything else to another try", () => {
  expect(wayOut(NO_ACCESS, "/rooms/den/")[0]).toBe("/rooms/");
  expect(wayOut(NO_ACCESS, "/posts/7/")).toEqual(["/feed/", "Go to the feed"]);
  expect(wayOut(NO_ACCESS, "/inbox/?view=all")).toEqual(["/inbox/?view=all", "Reload"]);
  expect(wayOut(refusalFor(3504), "/rooms/den/")).toEqual(["/rooms/den/", "Reload"]);
});
