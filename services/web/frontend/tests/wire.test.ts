import { expect, test } from "vitest";
import { readPublication } from "../src/wire";
import { readJob } from "../src/wirejob";
import { readMessage } from "../src/wiremessage";

const place = { epoch: "e1", offset: 8 };
const read = (value: unknown) => readPublication(value, place);

test("a chat frame becomes a message with its position", () => {
  const frame = read({
    type: "chat",
    id: 12,
    message: "hi",
    username: "bob",
    timestamp: "2026-11-22T16:00:00Z",
    client_id: "c1",
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
    position: place,
  });
});

test("only the boolean true makes a system message", () => {
  expect(readMessage({ id: 1, message: "x", system: "true" })?.system).toBe(false);
  expect(readMessage({ id: 1, message: "x", system: true })?.system).toBe(true);
});

test("a notification frame carries the notification and the server's count", () => {
  const frame = read({
    type: "notification",
    message: "bob commented",
    title: "bob commented",
    body: "Well said",
    url: "/posts/1/",
    kind: "posts.new_comment",
    category: "comments",
    id: 7,
    timestamp: "2026-11-22T16:00:00Z",
    unread: 3,
  });
  expect(frame).toEqual({
    type: "notification",
    notification: {
      id: 7,
      title: "bob commented",
      body: "Well said",
      url: "/posts/1/",
      kind: "posts.new_comment",
      category: "comments",
      timestamp: "2026-11-22T16:00:00Z",
    },
    unread: 3,
    position: place,
  });
});

test.each([undefined, null, "3", 1.5, -1, Number.MAX_VALUE])(
  "an unread count of %s is none",
  (unread) => {
    expect(read({ type: "notification", id: 1, title: "x", unread })).toMatchObject({
      unread: null,
    });
    expect(read({ type: "unread", unread })).toBeNull();
  },
);

test("a change of state names its notifications, or all", () => {
  const ids = { state: "read", ids: [1, "2", 3] };
  expect(read({ type: "unread", unread: 0, change: ids })).toMatchObject({
    change: { state: "read", ids: [1, 3] },
  });
  const all = { state: "archived", ids: "all" };
  expect(read({ type: "unread", unread: 0, change: all })).toMatchObject({ change: all });
  for (const change of [undefined, { state: "burnt", ids: [1] }, { state: "read", ids: 1 }]) {
    expect(read({ type: "unread", unread: 2, change })).toMatchObject({ unread: 2, change: null });
  }
});

test("a job frame has numbers throughout, and says where it cannot tell", () => {
  const job = readJob({
    id: 4,
    state: "running",
    kind: "notifications.message",
    total: 100,
    done: 40,
    delivered: 38,
    muted: 1,
    gone: 1,
    failed: 0,
    percent: 40.5,
    rate: null,
    eta_seconds: 12.5,
  });
  expect(job).toMatchObject({ total: 100, done: 40, percent: 40.5, rate: null, etaSeconds: 12.5 });
  expect(readJob({ id: 4, state: "draft" })).toMatchObject({ total: 0, percent: 0, rate: null });
  expect(readJob({ id: "4", state: "draft" })).toBeNull();
});

test("an announcement says until when it is shown", () => {
  const frame = { type: "announcement", id: 1, message: "x", timestamp: "t" };
  expect(read(frame)).toMatchObject({ expiresAt: null });
  expect(read({ ...frame, expires_at: "u" })).toMatchObject({ expiresAt: "u" });
  expect(read({ type: "seen_announcement", id: 1 })).toEqual({
    type: "seen_announcement",
    id: 1,
    position: place,
  });
});

test("a crowd has two numbers", () => {
  const counted = { type: "presence", num_clients: 240, num_users: 201 };
  expect(read(counted)).toEqual({ type: "presence", clients: 240, users: 201 });
  expect(read({ ...counted, num_users: "201" })).toBeNull();
});

test("who is typing has a name", () => {
  expect(read({ type: "typing", username: "bob" })).toEqual({ type: "typing", username: "bob" });
  expect(read({ type: "typing" })).toBeNull();
});

test.each([
  undefined,
  null,
  7,
  "not an object",
  [],
  { type: "redacted" },
  { type: "chat", id: "12", message: "x" },
  { type: "chat", id: 12 },
  { type: "news" },
  { type: "deleted" },
  { type: "announcement", id: null },
  { type: "notification", id: 1 },
  { type: "notification", id: "1", title: "x" },
  { type: "seen_announcement" },
  { type: "job", id: 1 },
])("%j says nothing", (value) => expect(read(value)).toBeNull());
