import { expect, test } from "vitest";
import { Clock } from "../src/format";
import { deleteLabel, linkedMessage } from "../src/message";

const at = new Date("2026-11-22T16:00:00Z");
const clock = new Clock("en-GB");

test("the delete buttons of one author are told apart", () => {
  const label = (text: string) => deleteLabel({ username: "bob", at, text }, clock);
  expect(label("hello")).toBe(`Delete message of bob, ${clock.timeOf(at)}: hello`);
  expect(label("good  \n bye")).toContain(": good bye");
});

test("a long text is cut between characters", () => {
  const label = deleteLabel({ username: "bob", at, text: "🔔".repeat(50) }, clock);
  expect(label.endsWith(`: ${"🔔".repeat(40)}…`)).toBe(true);
});

test("a time that cannot be read is left out", () => {
  const label = deleteLabel({ username: "bob", at: new Date(Number.NaN), text: "hi" }, clock);
  expect(label).toBe("Delete message of bob: hi");
});

test.each([
  ["#message-7", 7],
  ["#message-", null],
  ["#message-7x", null],
  ["#message-9999999999999999", null],
  ["#comment-7", null],
  ["", null],
])("%j leads to message %s", (hash, id) => expect(linkedMessage(hash)).toBe(id));
