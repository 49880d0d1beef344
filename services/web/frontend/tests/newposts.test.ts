import { expect, test } from "vitest";
import { NewPosts } from "../src/newposts";
import { readPublication } from "../src/wire";

function frame(id: number, kind: string, url = `/posts/${id}/`) {
  const found = readPublication({ type: "notification", id, kind, title: "News", url }, null);
  if (found?.type !== "notification") throw new Error("not a notification");
  return found;
}

test("new posts are counted, each once", () => {
  const posts = new NewPosts((url) => url === "/posts/9/");
  expect(posts.add(frame(1, "posts.new_post"))).toBe(true);
  expect(posts.label).toBe("1 new post");
  posts.add(frame(1, "posts.new_post"));
  expect(posts.label).toBe("1 new post");
  posts.add(frame(2, "posts.new_post"));
  expect(posts.label).toBe("2 new posts");
});

test("other notifications do not count", () => {
  const posts = new NewPosts((url) => url === "/posts/9/");
  expect(posts.add(frame(1, "posts.new_comment"))).toBe(false);
  expect(posts.label).toBe("0 new posts");
});

test("a post that the page shows already does not count", () => {
  const posts = new NewPosts((url) => url === "/posts/9/");
  expect(posts.add(frame(9, "posts.new_post"))).toBe(true);
  expect(posts.count).toBe(0);
});
