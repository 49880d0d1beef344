import { expect, test } from "vitest";
import { readFrame } from "../src/wire";

const place = { epoch: "e-1", offset: 7 };

test("a comment", () => {
  const fields = { id: 3, username: "bob", body: "Well said", timestamp: "2026-11-22T16:00:00Z" };
  expect(readFrame(JSON.stringify({ type: "comment", post: 1, ...fields, ...place }))).toEqual({
    type: "comment",
    comment: fields,
    position: place,
  });
  expect(readFrame('{"type":"comment","id":"3"}')).toBeNull();
});

test("deletions of a comment and of the post", () => {
  expect(readFrame(JSON.stringify({ type: "comment_deleted", id: 3, ...place }))).toEqual({
    type: "comment_deleted",
    id: 3,
    position: place,
  });
  expect(readFrame('{"type":"comment_deleted"}')).toBeNull();
  expect(readFrame('{"type":"post_deleted"}')).toEqual({ type: "post_deleted", position: null });
});
