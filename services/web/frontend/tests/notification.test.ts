import { expect, test } from "vitest";
import { beginning } from "../src/notification";

test("a long text is cut as the server cuts it, and not within a character", () => {
  expect(beginning("short", 5)).toBe("short");
  expect(beginning("longer", 5)).toBe("long…");
  expect(beginning("🎉🎉🎉", 2)).toBe("🎉…");
});
