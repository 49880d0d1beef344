import { expect, test } from "vitest";
import { type Announcement, AnnouncementBoard } from "../src/announcements";
import { Backoff } from "../src/backoff";
import { Refill } from "../src/refill";

const row = (id: number): Announcement => ({
  id,
  message: `announcement ${id}`,
  timestamp: "2026-11-22T16:00:00Z",
});

function setUp(answers: (() => Promise<readonly Announcement[]>)[]) {
  const board = new AnnouncementBoard(
    () => null,
    () => undefined,
  );
  let asked = 0;
  let filled = 0;
  const refill = new Refill(
    board,
    () => {
      asked += 1;
      return (answers[asked - 1] ?? (() => Promise.reject(new Error("unreachable"))))();
    },
    () => {
      filled += 1;
    },
    new Backoff(1, 1),
  );
  return { board, refill, counts: () => ({ asked, filled }) };
}

test("it tries until it works", async () => {
  const fail = () => Promise.reject(new Error("unreachable"));
  const { board, refill, counts } = setUp([fail, fail, async () => [row(1)]]);
  await refill.start();
  expect(board.open).toEqual([row(1)]);
  expect(counts()).toEqual({ asked: 3, filled: 1 });
});

test("of two resets the later one's answer counts", async () => {
  const { board, refill, counts } = setUp([async () => [row(1)], async () => [row(2)]]);
  await Promise.all([refill.start(), refill.start()]);
  expect(board.open).toEqual([row(2)]);
  expect(counts().filled).toBe(1);
});

test("a reader who was refused is not asked for any more", async () => {
  const { refill, counts } = setUp([]);
  const started = refill.start();
  refill.stop();
  await started;
  expect(counts()).toEqual({ asked: 1, filled: 0 });
});
