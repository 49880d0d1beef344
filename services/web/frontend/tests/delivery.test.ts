import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SIGNED_OUT } from "../src/closecodes";
import type { Status } from "../src/connection";
import { Delivery } from "../src/delivery";
import { Cabinet } from "../src/storage";
import { message } from "./samples";

function setUp(stored: string | null = null) {
  const state = { stored, drawn: 0, reconnected: 0, sent: [] as string[] };
  const connection = {
    status: { state: "online" } as Status,
    publish: (text: string) => {
      expect(state.stored, "what leaves is written down already").toContain(text);
      state.sent.push(text);
      return true;
    },
    reconnect: () => {
      state.reconnected += 1;
    },
  };
  const storage = {
    length: 0,
    key: () => null,
    getItem: () => state.stored,
    setItem: (_key: string, value: string) => {
      state.stored = value;
    },
    removeItem: () => {
      state.stored = null;
    },
  } as unknown as Storage;
  const cabinet = new Cabinet(1, { local: () => storage, session: () => storage });
  const drawer = cabinet.drawer("session", "unsent:lobby");
  const delivery = new Delivery(connection, drawer, "alice", () => {
    state.drawn += 1;
  });
  const turn = (status: Status) => {
    connection.status = status;
    delivery.onStatus(status);
  };
  return { delivery, state, turn, cabinet };
}

const texts = (delivery: Delivery) => delivery.pending.map(({ text }) => text);

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test("a message is written down before `send` returns, and the draft may go", () => {
  const { delivery, state } = setUp();
  delivery.send("hello", "c1");
  expect(state.stored).toContain("hello");
  expect(state.sent).toEqual(["hello"]);
});

describe("a confirmed message", () => {
  test("is let go of without being drawn: a page out of sight draws nothing", () => {
    const { delivery, state } = setUp();
    delivery.send("hello", "c1");
    delivery.acknowledge([message(7, { clientId: "c1" })]);
    expect(delivery.pending).toEqual([]);
    expect(state.stored).toBeNull();
    vi.advanceTimersByTime(60_000);
    delivery.tick();
    expect([state.sent, state.reconnected]).toEqual([["hello"], 0]);
  });

  test("makes room for the next ones", () => {
    const { delivery, state } = setUp();
    for (let index = 0; index < 21; index += 1) delivery.send(`m${index}`, `c${index}`);
    expect(state.sent).toHaveLength(20);
    vi.advanceTimersByTime(1_000);
    delivery.acknowledge([message(7, { clientId: "c0" })]);
    expect(state.sent).toHaveLength(21);
  });

  test("is the reader's own: others' client ids say nothing", () => {
    const { delivery } = setUp();
    delivery.send("hello", "c1");
    delivery.acknowledge([message(7, { clientId: "c1", username: "bob" })]);
    expect(texts(delivery)).toEqual(["hello"]);
  });
});

test("what an earlier load left is sent, unless the page's history has it", () => {
  const stored = JSON.stringify([
    { clientId: "c1", text: "arrived", createdAt: 0, state: "sent", problem: null },
    { clientId: "c2", text: "did not", createdAt: 0, state: "sent", problem: null },
  ]);
  const { delivery, state, turn } = setUp(stored);
  turn({ state: "connecting" });
  delivery.acknowledge([message(7, { clientId: "c1" })]);
  turn({ state: "online" });
  expect(state.sent).toEqual(["did not"]);
});

test("a break sends it all again", () => {
  const { delivery, state, turn } = setUp();
  delivery.send("hello", "c1");
  turn({ state: "offline", retryAt: null });
  turn({ state: "online" });
  expect(state.sent).toEqual(["hello", "hello"]);
});

test("a confirmation that does not come makes a new connection", () => {
  const { delivery, state } = setUp();
  delivery.send("hello", "c1");
  vi.advanceTimersByTime(10_000);
  delivery.tick();
  expect(state.reconnected).toBe(1);
});

test("when the reader is signed out, messages fail and nothing stays in the browser", () => {
  const { delivery, state, turn, cabinet } = setUp();
  turn({ state: "offline", retryAt: null });
  delivery.send("hello", "c1");
  cabinet.lock();
  state.stored = null;
  turn({ state: "refused", refusal: SIGNED_OUT });
  expect(delivery.pending[0]).toMatchObject({ state: "failed" });
  delivery.retry("c1");
  delivery.tick();
  expect([state.stored, state.sent]).toEqual([null, []]);
});

describe("errors", () => {
  const error = { type: "error", message: "No.", clientId: "c1", retryAfterMs: null } as const;

  test("a lasting one fails the message", () => {
    const { delivery } = setUp();
    delivery.send("hello", "c1");
    expect(delivery.onError({ ...error, code: 400 })).toBe(true);
    expect(delivery.pending[0]).toMatchObject({ state: "failed", problem: "No." });
  });

  test("a temporary one sends it again", () => {
    const { delivery, state } = setUp();
    delivery.send("hello", "c1");
    delivery.onError({ ...error, code: 111, retryAfterMs: 500 });
    vi.advanceTimersByTime(1_000);
    delivery.tick();
    expect(state.sent).toEqual(["hello", "hello"]);
  });

  test("one that concerns no message is somebody else's to show", () => {
    const { delivery } = setUp();
    expect(delivery.onError({ ...error, code: 103, clientId: null })).toBe(false);
  });
});
