import { describe, expect, test } from "vitest";
import { AnnouncementBoard } from "../src/announcements";
import type { AnnouncementFrame } from "../src/wire";

const frame = (id: number): AnnouncementFrame => ({
  type: "announcement",
  id,
  message: `announcement ${id}`,
  timestamp: "2026-11-22T16:00:00Z",
  position: null,
});

/** Storage that several tabs share. */
function tabs() {
  let stored: string | null = null;
  return () =>
    new AnnouncementBoard(
      () => stored,
      (text) => {
        stored = text;
      },
    );
}

const ids = (board: AnnouncementBoard) => board.open.map(({ id }) => id);

test("an announcement is news once, in whichever tab", () => {
  const open = tabs();
  const [first, second] = [open(), open()];
  expect(first.add(frame(1), null)).toBe(true);
  expect(first.add(frame(1), null)).toBe(false);
  expect(second.add(frame(1), null)).toBe(false);
  expect(ids(second)).toEqual([1]);
});

test("a dismissed announcement stays away", () => {
  const open = tabs();
  const board = open();
  board.add(frame(1), null);
  board.dismiss(1);
  expect(board.add(frame(1), null)).toBe(false);
  expect(ids(open())).toEqual([]);
});

test("the next page goes on from where this one stood", () => {
  const open = tabs();
  open().add(frame(1), { epoch: "e1", offset: 4 });
  expect(open().position).toEqual({ epoch: "e1", offset: 4 });
  expect(ids(open())).toEqual([1]);
});

test("the newest three are shown", () => {
  const board = tabs()();
  for (const id of [1, 2, 3, 4]) board.add(frame(id), null);
  expect(ids(board)).toEqual([2, 3, 4]);
});

const rows = (...found: number[]) =>
  found.map((id) => ({ id, message: `announcement ${id}`, timestamp: "2026-11-22T16:00:00Z" }));

describe("after a reset", () => {
  test("the board shows what there is now", () => {
    const board = tabs()();
    for (const id of [7, 8]) board.add(frame(id), null);
    board.reset({ epoch: "e2", offset: 3 });
    board.fill(rows(5, 6, 8, 9));
    expect(ids(board)).toEqual([6, 8, 9]);
    expect(board.position).toEqual({ epoch: "e2", offset: 3 });
    expect(board.add(frame(9), null)).toBe(false);
  });

  test("what was dismissed stays away, in the next page too", () => {
    const open = tabs();
    const board = open();
    for (const id of [1, 2]) board.add(frame(id), null);
    board.dismiss(1);
    board.reset(null);
    board.fill(rows(1, 2));
    expect(ids(board)).toEqual([2]);
    const next = open();
    next.reset(null);
    expect(next.add(frame(1), null)).toBe(false);
    next.fill(rows(1, 2));
    expect(ids(next)).toEqual([2]);
  });

  test("ids may begin anew: another announcement of a dismissed one's id is shown", () => {
    const board = tabs()();
    board.add(frame(9), null);
    board.dismiss(9);
    board.reset({ epoch: "e2", offset: 0 });
    const other = { ...frame(9), timestamp: "2026-11-22T17:00:00Z" };
    expect(board.add(other, { epoch: "e2", offset: 1 })).toBe(true);
  });

  test("what comes while the answer is on its way is kept", () => {
    const board = tabs()();
    board.reset(null);
    board.add(frame(3), null);
    board.fill(rows(1, 2));
    expect(ids(board)).toEqual([1, 2, 3]);
  });

  test("what is shown stays until the answer is there", () => {
    const board = tabs()();
    board.add(frame(1), null);
    board.reset(null);
    expect(ids(board)).toEqual([1]);
    board.fill([]);
    expect(ids(board)).toEqual([]);
  });
});

test.each(["null", "[]", "7", "not json", '{"open":[1,{"id":"x"}],"position":5}'])(
  "stored text %j is no announcement",
  (text) => {
    const board = new AnnouncementBoard(
      () => text,
      () => undefined,
    );
    expect(board.open).toEqual([]);
    expect(board.position).toBeNull();
  },
);
