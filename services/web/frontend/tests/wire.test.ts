import { expect, test } from "vitest";
import { readFrame, readMessage } from "../src/wire";

const read = (value: unknown) => readFrame(JSON.stringify(value));

test("the greeting carries positions, and broken ones are left out", () => {
  const frame = read({
    type: "connection_established",
    message: "You are now connected!",
    positions: { "chat:lobby": { epoch: "e1", offset: 7 }, "chat:den": { epoch: 1 } },
  });
  expect(frame).toEqual({
    type: "connection_established",
    positions: new Map([["chat:lobby", { epoch: "e1", offset: 7 }]]),
  });
});

test("a chat frame becomes a message with its position", () => {
  const frame = read({
    type: "chat",
    id: 12,
    message: "hi",
    username: "bob",
    timestamp: "2026-11-22T16:00:00Z",
    client_id: "c1",
    epoch: "e1",
    offset: 8,
    later: "unknown keys are ignored",
  });
  expect(frame).toEqual({
    type: "chat",
    message: {
      id: 12,
      username: "bob",
      message: "hi",
      timestamp: "2026-11-22T16:00:00Z",
      system: false,
      deleted: false,
      clientId: "c1",
    },
    position: { epoch: "e1", offset: 8 },
  });
});

test("only the boolean true makes a system message", () => {
  expect(readMessage({ id: 1, message: "x", system: "true" })?.system).toBe(false);
  expect(readMessage({ id: 1, message: "x", system: true })?.system).toBe(true);
});

test("an error frame gives its pause in milliseconds", () => {
  const frame = read({ type: "error", code: 111, message: "Slower.", retry_after: 0.25 });
  expect(frame).toMatchObject({ code: 111, retryAfterMs: 250, clientId: null });
});

test("an unknown publication still has its place", () => {
  expect(read({ type: "redacted", epoch: "e1", offset: 3 })).toEqual({
    type: "other",
    position: { epoch: "e1", offset: 3 },
  });
});

test.each([
  "",
  "not json",
  "[]",
  "null",
  "7",
  '{"type":"chat","id":"12","message":"x"}',
  '{"type":"chat","id":12}',
  '{"type":"news"}',
  '{"type":"deleted"}',
  '{"type":"announcement","id":null}',
])("%j says nothing", (text) => expect(readFrame(text)).toBeNull());
