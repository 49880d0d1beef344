import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Herald } from "../src/herald";
import { notification } from "./samples";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function setUp() {
  const shown: number[][] = [];
  const herald = new Herald((news) => shown.push(news.map(({ id }) => id)));
  return { herald, shown };
}

test("what comes within a moment is shown together, each once", () => {
  const { herald, shown } = setUp();
  for (const id of [1, 2, 1]) herald.hear(notification(id));
  expect(shown).toEqual([]);
  vi.runAllTimers();
  herald.hear(notification(2));
  herald.hear(notification(3));
  vi.runAllTimers();
  expect(shown).toEqual([[1, 2], [3]]);
});

test.each(["read", "archived"] as const)("what was %s elsewhere is not shown", (state) => {
  const { herald, shown } = setUp();
  for (const id of [1, 2]) herald.hear(notification(id));
  herald.settle({ state, ids: [1] });
  vi.runAllTimers();
  expect(shown).toEqual([[2]]);
  herald.hear(notification(3));
  herald.settle({ state, ids: "all" });
  vi.runAllTimers();
  expect(shown).toEqual([[2]]);
});

test.each(["seen", "unread", "unarchived"] as const)("what was %s elsewhere is", (state) => {
  const { herald, shown } = setUp();
  herald.hear(notification(1));
  herald.settle({ state, ids: "all" });
  vi.runAllTimers();
  expect(shown).toEqual([[1]]);
});

test("after a reset ids may begin anew", () => {
  const { herald, shown } = setUp();
  herald.hear(notification(1));
  vi.runAllTimers();
  herald.reset();
  herald.hear(notification(1));
  vi.runAllTimers();
  expect(shown).toEqual([[1], [1]]);
});
