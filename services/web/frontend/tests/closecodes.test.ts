import { expect, test } from "vitest";
import { isTerminal, refusalFor } from "../src/closecodes";

test.each([1000, 1001, 1006, 1011, 1012, 3000, 3001, 3008, 3499, 4000, 4499])(
  "%i is a reason to come back",
  (code) => expect(isTerminal(code)).toBe(false),
);

test.each([3500, 3501, 3507, 3999, 4500, 4501, 4503, 4999])("%i is final", (code) =>
  expect(isTerminal(code)).toBe(true),
);

test("a known code says what to do, an unknown one names itself", () => {
  expect(refusalFor(4501).cause).toBe("signed-out");
  expect(refusalFor(3507).cause).toBe("no-access");
  expect(refusalFor(3777).message).toContain("3777");
});
