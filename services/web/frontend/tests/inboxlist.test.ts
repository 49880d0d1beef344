import { describe, expect, test } from "vitest";
import { type InboxItem, InboxList, type InboxView, readFilter, readItem } from "../src/inboxlist";
import { notification } from "./samples";

const item = (id: number, over: Partial<InboxItem> = {}): InboxItem => ({
  ...notification(id),
  unread: true,
  archived: false,
  ...over,
});

function filled(view: InboxView, items: readonly InboxItem[], category = "") {
  const list = new InboxList({ view, category });
  list.fill(items);
  return list;
}

const ids = (list: InboxList) => list.shown.map(({ id }) => id);

test("new ones are on top, each once", () => {
  const list = filled("all", [item(2), item(1)]);
  expect(list.add(notification(3))).toBe(true);
  expect(list.add(notification(3))).toBe(false);
  expect(ids(list)).toEqual([3, 2, 1]);
});

test("a new one of another category is not shown, nor in the archive", () => {
  const list = filled("all", [], "posts");
  expect(list.add(notification(1, { category: "comments" }))).toBe(false);
  expect(list.add(notification(2, { category: "posts" }))).toBe(true);
  expect(ids(list)).toEqual([2]);
  expect(filled("archived", []).add(notification(1))).toBe(false);
});

test("a state that changes elsewhere changes here", () => {
  const list = filled("all", [item(2), item(1)]);
  expect(list.apply({ state: "read", ids: [1] })).toBe(true);
  expect(list.shown.map(({ unread }) => unread)).toEqual([true, false]);
  list.apply({ state: "unread", ids: [1] });
  list.apply({ state: "archived", ids: [2] });
  expect(ids(list)).toEqual([1]);
  expect(list.shown[0]?.unread).toBe(true);
});

test("all of them read leaves nothing to read", () => {
  const list = filled("unread", [item(2), item(1)]);
  expect(list.apply({ state: "read", ids: "all" })).toBe(true);
  expect(ids(list)).toEqual([]);
});

test("a change may come before its notification", () => {
  const list = filled("unread", []);
  list.apply({ state: "read", ids: [1] });
  expect(list.add(notification(1))).toBe(false);
  expect(ids(list)).toEqual([]);
});

test("what comes while the page is read again is still there, as it stands by then", () => {
  const list = filled("all", [item(1), item(2)]);
  list.expire();
  list.add(notification(3));
  list.apply({ state: "read", ids: [2] });
  list.add(notification(4));
  list.apply({ state: "archived", ids: [4] });
  // Read before any of it happened.
  list.fill([item(2), item(1)]);
  expect(ids(list)).toEqual([3, 2, 1]);
  expect(list.shown.map(({ unread }) => unread)).toEqual([true, false, true]);
  list.fill([item(1)]);
  expect(ids(list)).toEqual([1]);
});

test("being seen changes nothing that the list shows", () => {
  const list = filled("unread", [item(1)]);
  expect(list.apply({ state: "seen", ids: "all" })).toBe(true);
  expect(ids(list)).toEqual([1]);
});

describe("what comes into the view from outside has to be read", () => {
  test.each([
    ["all", "unarchived", false],
    ["all", "archived", true],
    ["all", "unread", true],
    ["unread", "unread", false],
    ["unread", "unarchived", false],
    ["unread", "read", true],
    ["archived", "archived", false],
    ["archived", "unarchived", true],
  ] as const)("in %s, something unknown %s: known %s", (view, state, known) => {
    expect(filled(view, []).apply({ state, ids: [9] })).toBe(known);
  });
});

test("what the server writes is read, and broken rows are left out", () => {
  const row = { ...notification(1), read: false, archived: false };
  expect(readItem(row)).toEqual(item(1));
  expect(readItem({ ...row, read: true })?.unread).toBe(false);
  expect(readItem({ ...row, archived: true })?.archived).toBe(true);
  expect(readItem({ ...row, id: "1" })).toBeNull();
});

test("a filter that nobody knows is all", () => {
  expect(readFilter({ view: "burnt", category: null })).toEqual({ view: "all", category: "" });
  expect(readFilter({ view: "archived", category: "posts" })).toEqual({
    view: "archived",
    category: "posts",
  });
});
