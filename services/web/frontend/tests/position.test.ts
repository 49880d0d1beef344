import { describe, expect, test } from "vitest";
import { formatPosition, PositionStore, parsePosition } from "../src/position";

const at = (offset: number, epoch = "e1") => ({ epoch, offset });

describe("written positions", () => {
  test.each(["abc.0", "a-B9.123456789012345"])("%s is read back as it was", (text) => {
    const position = parsePosition(text);
    expect(position && formatPosition(position)).toBe(text);
  });

  test.each(["", "abc", "abc.", ".1", "abc.-1", "abc.1.2", "a_c.1", "abc.1e3"])(
    "%j is no position",
    (text) => expect(parsePosition(text)).toBeNull(),
  );
});

describe("position store", () => {
  test.each([
    [7, at(7), false],
    [7, at(6), false],
    [7, at(8), true],
    [7, at(0, "e2"), true],
    [null, at(0), false],
    [null, at(1), true],
  ])("at %j, a server at %j: behind is %s", (offset, head, behind) => {
    const store = new PositionStore();
    if (offset !== null) store.set("chat:lobby", at(offset));
    expect(store.isBehind(new Map([["chat:lobby", head]]))).toBe(behind);
  });

  test("contiguous offsets move it", () => {
    const store = new PositionStore();
    store.set("chat:lobby", at(7));
    expect(store.note("chat:lobby", at(8))).toBe("next");
    expect(store.get("chat:lobby")).toEqual(at(8));
  });

  test("a repeat does not move it back", () => {
    const store = new PositionStore();
    store.set("chat:lobby", at(7));
    expect(store.note("chat:lobby", at(5))).toBe("repeat");
    expect(store.get("chat:lobby")).toEqual(at(7));
  });

  test("it waits before a hole and passes it once it is filled", () => {
    const store = new PositionStore();
    store.set("chat:lobby", at(7));
    expect(store.note("chat:lobby", at(10))).toBe("ahead");
    expect(store.note("chat:lobby", at(9))).toBe("ahead");
    expect(store.get("chat:lobby")).toEqual(at(7));
    expect(store.hasHole()).toBe(true);
    expect(store.note("chat:lobby", at(8))).toBe("next");
    expect(store.get("chat:lobby")).toEqual(at(10));
    expect(store.hasHole()).toBe(false);
  });

  test("a filled hole leaves a later one", () => {
    const store = new PositionStore();
    store.set("chat:lobby", at(1));
    store.note("chat:lobby", at(3));
    store.note("chat:lobby", at(5));
    store.note("chat:lobby", at(2));
    expect(store.get("chat:lobby")).toEqual(at(3));
    expect(store.hasHole()).toBe(true);
  });

  test("another epoch does not move it", () => {
    const store = new PositionStore();
    store.set("chat:lobby", at(7));
    expect(store.note("chat:lobby", at(8, "e2"))).toBe("foreign");
    expect(store.get("chat:lobby")).toEqual(at(7));
  });

  test("setting it forgets the hole", () => {
    const store = new PositionStore();
    store.set("chat:lobby", at(1));
    store.note("chat:lobby", at(5));
    store.set("chat:lobby", at(2, "e2"));
    expect(store.hasHole()).toBe(false);
  });

  test("channels do not touch each other", () => {
    const store = new PositionStore();
    store.set("chat:lobby", at(1));
    store.note("chat:den", at(9));
    expect(store.get("chat:lobby")).toEqual(at(1));
    expect(store.get("chat:den")).toEqual(at(9));
  });
});
