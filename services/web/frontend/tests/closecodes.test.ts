import { expect, test } from "vitest";
import { refusalFor } from "../src/closecodes";

test("a known code says what to do, an unknown one names itself", () => {
  expect(refusalFor(4501).cause).toBe("signed-out");
  expect(refusalFor(3507).cause).toBe("no-access");
  expect(refusalFor(2000).cause).toBe("no-access");
  expect(refusalFor(3777).message).toContain("server");
  expect(refusalFor(3777).message).toContain("3777");
});

test("a mistake of the page's is not blamed on the server", () => {
  expect(refusalFor(2).message).not.toContain("server");
});
