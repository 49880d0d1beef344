import { expect, test } from "vitest";
import { endsLogin, refusalFor } from "../src/closecodes";

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

test.each([
  [4501, true],
  [4503, true],
  [3504, false],
  [3507, false],
])("%i is the end of the login: %s", (code, expected) => {
  expect(endsLogin(refusalFor(code))).toBe(expected);
});
