import { expect, test } from "vitest";
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

test("after a reset, ids may begin anew", () => {
  const board = tabs()();
  board.add(frame(9), null);
  board.reset({ epoch: "e2", offset: 0 });
  expect(ids(board)).toEqual([]);
  expect(board.add(frame(1), { epoch: "e2", offset: 1 })).toBe(true);
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
