import { expect, test } from "vitest";
import { CommentLog } from "../src/commentlog";
import type { WireComment } from "../src/wirecomment";

function comment(id: number): WireComment {
  return { id, username: "bob", body: `text ${id}`, timestamp: "2026-11-22T16:00:00+00:00" };
}

test("a comment that the page has already is not shown again", () => {
  const log = new CommentLog([1, 2]);
  expect(log.add(comment(2))).toBe(false);
  expect(log.add(comment(3))).toBe(true);
  expect(log.add(comment(3))).toBe(false);
});

test("a deleted comment does not come back", () => {
  const log = new CommentLog([1]);
  expect(log.remove(1)).toBe(true);
  expect(log.remove(2)).toBe(false);
  expect(log.add(comment(1))).toBe(false);
  expect(log.add(comment(2))).toBe(false);
  expect(log.isEmpty).toBe(true);
});

test("what came and what went while the page was read again is laid over it", () => {
  const log = new CommentLog([1, 2]);
  log.expire();
  log.add(comment(4));
  log.add(comment(5));
  log.remove(2);
  log.remove(5);
  const { gone, fresh } = log.renew([1, 2, 4]);
  expect(gone).toEqual([2]);
  expect(fresh).toEqual([]);
  expect(log.add(comment(4))).toBe(false);
  log.expire();
  log.add(comment(6));
  expect(log.renew([1, 4]).fresh.map(({ id }) => id)).toEqual([6]);
});

test("after a restore an id may mean another comment", () => {
  const log = new CommentLog([1, 2]);
  log.remove(2);
  log.expire();
  expect(log.renew([1, 2])).toEqual({ gone: [], fresh: [] });
});
