import { expect, test } from "vitest";
import { readPublication } from "../src/wire";

const place = { epoch: "e-1", offset: 7 };

test("a comment", () => {
  const fields = { id: 3, username: "bob", body: "Well said", timestamp: "2026-11-22T16:00:00Z" };
  expect(readPublication({ type: "comment", post: 1, ...fields }, place)).toEqual({
    type: "comment",
    comment: fields,
    position: place,
  });
  expect(readPublication({ type: "comment", id: "3" }, place)).toBeNull();
});

test("deletions of a comment and of the post", () => {
  expect(readPublication({ type: "comment_deleted", id: 3 }, place)).toEqual({
    type: "comment_deleted",
    id: 3,
    position: place,
  });
  expect(readPublication({ type: "comment_deleted" }, place)).toBeNull();
  expect(readPublication({ type: "post_deleted" }, null)).toEqual({
    type: "post_deleted",
    position: null,
  });
});
