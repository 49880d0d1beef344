import { describe, expect, test } from "vitest";
import { MessageList } from "../src/messages";
import { message } from "./samples";

const ids = (list: MessageList) => list.all.map(({ id }) => id);
const texts = (list: MessageList) => list.all.map((each) => each.message);

test("messages from all sides are ordered by id and there once", () => {
  const list = new MessageList();
  list.add([message(5), message(6)]);
  list.add([message(8)]);
  list.add([message(3), message(4), message(5)]);
  list.add([message(7), message(8)]);
  expect(ids(list)).toEqual([3, 4, 5, 6, 7, 8]);
  expect([list.oldestId, list.newestId]).toEqual([3, 8]);
});

describe("deletion", () => {
  test("a known message loses its text and keeps its place", () => {
    const list = new MessageList();
    list.add([message(1), message(2)]);
    expect(list.remove(1)).toBe(true);
    expect(list.all[0]).toMatchObject({ id: 1, message: "", deleted: true });
  });

  test("a history answer from before it does not bring the text back", () => {
    const list = new MessageList();
    expect(list.remove(1)).toBe(false);
    list.add([message(1)]);
    expect(list.all[0]).toMatchObject({ message: "", deleted: true });
  });

  test("the history may tell of it first", () => {
    const list = new MessageList();
    list.add([message(1)]);
    list.add([message(1, { deleted: true, message: "" })]);
    expect(list.all[0]?.deleted).toBe(true);
  });
});

describe("reading again after a reset", () => {
  test("drops what the history does not confirm", () => {
    const list = new MessageList();
    list.add([message(1), message(2), message(3)]);
    list.expire();
    list.renew([message(1), message(2)]);
    expect(ids(list)).toEqual([1, 2]);
  });

  test("takes the new content of a reused id", () => {
    const list = new MessageList();
    list.add([message(1, { message: "before the restore" })]);
    list.expire();
    list.renew([message(1, { message: "after the restore" })]);
    expect(texts(list)).toEqual(["after the restore"]);
  });

  test("keeps what came live meanwhile", () => {
    const list = new MessageList();
    list.add([message(1)]);
    list.expire();
    list.add([message(2, { message: "live" })]);
    list.renew([message(1)]);
    expect(ids(list)).toEqual([1, 2]);
  });

  test("a live frame with a reused id wins over what was there", () => {
    const list = new MessageList();
    list.add([message(1, { message: "old" }), message(2, { message: "old" })]);
    list.expire();
    list.add([message(2, { message: "live" })]);
    list.renew([message(1, { message: "history" })]);
    expect(texts(list)).toEqual(["history", "live"]);
  });
});

test("trimming forgets the oldest, which can be read again", () => {
  const list = new MessageList();
  list.add([message(1), message(2), message(3)]);
  expect(list.trim(3)).toBe(false);
  expect(list.trim(2)).toBe(true);
  expect(ids(list)).toEqual([2, 3]);
  list.add([message(1)]);
  expect(ids(list)).toEqual([1, 2, 3]);
});
