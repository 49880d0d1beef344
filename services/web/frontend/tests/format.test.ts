import { expect, test } from "vitest";
import { Clock } from "../src/format";

const now = new Date(2026, 10, 22, 9, 30);
const clock = new Clock("en-GB", () => now);

test("days near to now have names", () => {
  expect(clock.dayName(new Date(2026, 10, 22, 0, 1))).toBe("Today");
  expect(clock.dayName(new Date(2026, 10, 21, 23, 59))).toBe("Yesterday");
  expect(clock.dayName(new Date(2026, 10, 21, 0, 0))).toBe("Yesterday");
  expect(clock.dayName(new Date(2026, 10, 20, 12, 0))).toContain("20 November 2026");
});

test("times are written as the page's language does", () => {
  const at = new Date(2026, 10, 22, 16, 5);
  expect(clock.timeOf(at)).toBe("16:05");
  expect(new Clock("en-US").timeOf(at)).toMatch(/4:05\sPM/);
});

test("the year of a moment is said where it is another one", () => {
  expect(clock.momentOf(new Date(2026, 0, 2, 16, 5))).toBe("2 Jan, 16:05");
  expect(clock.momentOf(new Date(2025, 11, 31, 16, 5))).toBe("31 Dec 2025, 16:05");
});
