import { describe, expect, test } from "vitest";
import { AnnouncementBoard, readAnnouncements } from "../src/announcements";
import type { AnnouncementFrame } from "../src/wire";

const NOW = Date.parse("2026-11-22T16:30:00Z");

const frame = (id: number, expiresAt: string | null = null): AnnouncementFrame => ({
  type: "announcement",
  id,
  message: `announcement ${id}`,
  timestamp: "2026-11-22T16:00:00Z",
  expiresAt,
  position: null,
});

/** Storage that several tabs share. */
function tabs(now: () => number = () => NOW) {
  let stored: string | null = null;
  return () =>
    new AnnouncementBoard(
      () => stored,
      (text) => {
        stored = text;
      },
      now,
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
  found.map((id) => ({
    id,
    message: `announcement ${id}`,
    timestamp: "2026-11-22T16:00:00Z",
    expiresAt: null,
  }));

describe("a page begins", () => {
  test("with what the server wrote into it: what was dismissed on another device is gone", () => {
    const open = tabs();
    const before = open();
    for (const id of [1, 2]) before.add(frame(id), { epoch: "e1", offset: id });
    const next = open();
    next.begin(rows(2), { epoch: "e1", offset: 3 });
    expect(ids(next)).toEqual([2]);
    expect(next.add(frame(2), { epoch: "e1", offset: 2 })).toBe(false);
    expect(next.add(frame(3), { epoch: "e1", offset: 4 })).toBe(true);
  });

  test("without what was dismissed here, which the server is told again", () => {
    const open = tabs();
    const before = open();
    before.add(frame(1), { epoch: "e1", offset: 1 });
    before.dismiss(1);
    const next = open();
    next.begin(rows(1), { epoch: "e1", offset: 1 });
    expect(ids(next)).toEqual([]);
    expect(rows(1, 2).map((each) => next.wasDismissed(each))).toEqual([true, false]);
  });

  test("with what another tab knows, where that tab has heard more since", () => {
    const open = tabs();
    open().add(frame(5), { epoch: "e1", offset: 5 });
    const slow = open();
    slow.begin(rows(4), { epoch: "e1", offset: 4 });
    expect(ids(slow)).toEqual([5]);
    expect(slow.add(frame(5), { epoch: "e1", offset: 5 })).toBe(false);
  });

  test("with what the server wrote after the log was replaced", () => {
    const open = tabs();
    open().add(frame(9), { epoch: "e1", offset: 9 });
    const next = open();
    next.begin(rows(1), { epoch: "e2", offset: 1 });
    expect(ids(next)).toEqual([1]);
  });
});

describe("an announcement that is over", () => {
  const [past, soon] = ["2026-11-22T16:29:59Z", "2026-11-22T16:40:00Z"];

  test("is not shown when it comes late", () => {
    const board = tabs()();
    expect(board.add(frame(1, past), null)).toBe(false);
    expect(ids(board)).toEqual([]);
  });

  test("goes when its time comes, and the board says when that is", () => {
    let now = NOW;
    const open = tabs(() => now);
    const board = open();
    board.add(frame(1, soon), null);
    board.add(frame(2), null);
    expect(board.nextExpiry).toBe(Date.parse(soon));
    now = Date.parse(soon);
    board.expire();
    expect(ids(board)).toEqual([2]);
    expect(ids(open())).toEqual([2]);
    expect(board.nextExpiry).toBeNull();
  });

  test("is so for a time that is none never", () => {
    const board = tabs()();
    board.add(frame(1, "soon"), null);
    expect(ids(board)).toEqual([1]);
  });
});

test("announcements of the server are read, and broken ones left out", () => {
  const given = [
    { id: 1, message: "a", timestamp: "t", expires_at: "2026-11-22T16:40:00Z" },
    { id: 2, message: "b", timestamp: "t" },
    { id: "3", message: "c", timestamp: "t" },
    null,
  ];
  expect(readAnnouncements(given)).toEqual([
    { id: 1, message: "a", timestamp: "t", expiresAt: "2026-11-22T16:40:00Z" },
    { id: 2, message: "b", timestamp: "t", expiresAt: null },
  ]);
  expect(readAnnouncements({})).toEqual([]);
});

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
