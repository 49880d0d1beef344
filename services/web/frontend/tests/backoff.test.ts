import { expect, test } from "vitest";
import { Backoff } from "../src/backoff";

test("the ceiling doubles with each attempt up to the cap", () => {
  const backoff = new Backoff(500, 30_000, () => 1);
  const delays = Array.from({ length: 9 }, () => backoff.next());
  expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

test("the whole range below the ceiling is used", () => {
  const backoff = new Backoff(500, 30_000, () => 0);
  expect(backoff.next()).toBe(0);
});

test("after a reset it begins anew", () => {
  const backoff = new Backoff(500, 30_000, () => 1);
  backoff.next();
  backoff.next();
  backoff.reset();
  expect(backoff.next()).toBe(500);
});
