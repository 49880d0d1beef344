import { describe, expect, test } from "vitest";
import { conversation } from "../src/conversation";
import { MessageList } from "../src/messages";
import { Unsent } from "../src/unsent";
import type { WireMessage } from "../src/wiremessage";
import { message } from "./samples";

const alice = { username: "alice", staff: false };
const day = (at: Date) => at.toISOString().slice(0, 10);

function items(messages: readonly WireMessage[], unsent = new Unsent(), reader = alice) {
  const list = new MessageList();
  list.add(messages);
  return conversation(list, unsent, reader, day);
}

const minute = (value: number) => `2026-11-22T16:${String(value).padStart(2, "0")}:00Z`;

describe("grouping", () => {
  test("messages of one author within five minutes are one run", () => {
    const found = items([
      message(1, { timestamp: minute(0) }),
      message(2, { timestamp: minute(4) }),
      message(3, { timestamp: minute(9) }),
    ]);
    expect(found.map(({ startsRun }) => startsRun)).toEqual([true, false, true]);
    expect(found.map(({ endsRun }) => endsRun)).toEqual([false, true, true]);
  });

  test("another author, a system message and a new day each end a run", () => {
    const found = items([
      message(1, { timestamp: "2026-11-22T23:59:00Z" }),
      message(2, { timestamp: "2026-11-23T00:01:00Z" }),
      message(3, { timestamp: "2026-11-23T00:01:01Z", username: "bob" }),
      message(4, { timestamp: "2026-11-23T00:01:02Z", username: "System", system: true }),
      message(5, { timestamp: "2026-11-23T00:01:03Z", username: "System", system: true }),
    ]);
    expect(found.map(({ startsRun }) => startsRun)).toEqual([true, true, true, true, true]);
    expect(found.map(({ startsDay }) => startsDay)).toEqual([true, true, false, false, false]);
  });
});

describe("delivery", () => {
  test("unconfirmed messages stand last", () => {
    const unsent = new Unsent();
    unsent.add("on its way", "c9", Date.parse(minute(1)));
    const found = items([message(7)], unsent);
    expect(found.map(({ text, state }) => [text, state])).toEqual([
      ["text 7", "sent"],
      ["on its way", "sending"],
    ]);
  });

  test("a message keeps its key when it is confirmed", () => {
    const unsent = new Unsent();
    unsent.add("hello", "c9", 0);
    const [before] = items([], unsent);
    const [after] = items([message(7, { clientId: "c9" })]);
    expect(after?.key).toBe(before?.key);
  });

  test("somebody else's client id is not mine", () => {
    const [found] = items([message(7, { clientId: "c9", username: "bob" })]);
    expect(found).toMatchObject({ key: "id:7", own: false, state: "received" });
  });

  test("a failed message says why", () => {
    const unsent = new Unsent();
    unsent.add("x", "c1", 0);
    unsent.fail("c1", "Too long.");
    expect(items([], unsent)[0]).toMatchObject({ state: "failed", problem: "Too long." });
  });
});

describe("deleting", () => {
  test("one's own messages, and for staff everybody's", () => {
    const messages = [message(1), message(2, { username: "bob" })];
    expect(items(messages).map(({ canDelete }) => canDelete)).toEqual([true, false]);
    const staff = { username: "carol", staff: true };
    expect(items(messages, undefined, staff).map(({ canDelete }) => canDelete)).toEqual([
      true,
      true,
    ]);
  });

  test("not a deleted one, and not by a user whose name is on a system message", () => {
    const system = message(2, { username: "System", system: true });
    const found = items([message(1, { deleted: true }), system], undefined, {
      username: "System",
      staff: false,
    });
    expect(found.map(({ canDelete, own }) => [canDelete, own])).toEqual([
      [false, false],
      [false, false],
    ]);
  });
});
