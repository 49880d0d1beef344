import { describe, expect, test } from "vitest";
import { badge, bellLabel, titled, UnreadCount } from "../src/unread";

describe("the count", () => {
  const at = (offset: number, epoch = "e1") => ({ epoch, offset });

  test("is the server's newest, in whichever order its numbers come", () => {
    const count = new UnreadCount(2, at(10));
    expect(count.take(3, at(11))).toBe(true);
    expect(count.take(9, at(10))).toBe(false);
    expect(count.take(4, at(12))).toBe(true);
    expect(count.value).toBe(4);
  });

  test("is taken again from the same place: a page was read there after it", () => {
    const count = new UnreadCount(2, at(10));
    expect(count.take(1, at(10))).toBe(true);
    expect(count.value).toBe(1);
  });

  test("begins anew with another epoch", () => {
    const count = new UnreadCount(2, at(10));
    expect(count.take(0, at(1, "e2"))).toBe(true);
    expect(count.value).toBe(0);
  });

  test("stays when a frame carries none", () => {
    const count = new UnreadCount(2, at(10));
    expect(count.take(null, at(11))).toBe(false);
    expect(count.value).toBe(2);
  });

  test("is taken without a place, which then stays the one that is known", () => {
    const count = new UnreadCount(2, at(10));
    expect(count.take(5, null)).toBe(true);
    expect(count.take(1, at(9))).toBe(false);
    expect(count.value).toBe(5);
  });
});

test.each([
  [0, ""],
  [-1, ""],
  [1, "1"],
  [99, "99"],
  [100, "99+"],
  [12_345, "99+"],
])("a badge for %i is %j", (count, text) => expect(badge(count)).toBe(text));

test("a screen reader hears the number itself", () => {
  expect(bellLabel(0)).toBe("Inbox, nothing unread");
  expect(bellLabel(1)).toBe("Inbox, 1 unread notification");
  expect(bellLabel(120)).toBe("Inbox, 120 unread notifications");
});

test("the title carries the number, none at nought, and keeps what is its own", () => {
  expect(titled("Inbox · Carillon", 3)).toBe("(3) Inbox · Carillon");
  expect(titled("Inbox · Carillon", 120)).toBe("(99+) Inbox · Carillon");
  expect(titled("(5) reasons · Carillon", 0)).toBe("(5) reasons · Carillon");
});
