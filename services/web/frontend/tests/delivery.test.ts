import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SIGNED_OUT } from "../src/closecodes";
import { CommandError, type Status } from "../src/connection";
import { Delivery } from "../src/delivery";
import type { Position } from "../src/position";
import { Cabinet } from "../src/storage";
import { message } from "./samples";

const place = (offset: number): Position => ({ epoch: "e1", offset });

function setUp(stored: string | null = null) {
  const state = { stored, drawn: 0, restarted: 0, sent: [] as string[] };
  const answers: ((answer: Position | Error) => Promise<void>)[] = [];
  let position = place(0);
  const line = {
    position: () => position,
    send: (text: string) => {
      expect(state.stored, "what leaves is written down already").toContain(text);
      state.sent.push(text);
      return new Promise<Position>((resolve, reject) => {
        answers.push(async (answer) => {
          if (answer instanceof Error) reject(answer);
          else resolve(answer);
          await vi.advanceTimersByTimeAsync(0);
        });
      });
    },
    restart: () => {
      state.restarted += 1;
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
  const delivery = new Delivery(line, drawer, "alice", () => {
    state.drawn += 1;
  });
  const turn = (status: Status["state"]) =>
    delivery.onStatus(
      status === "refused" ? { state: status, refusal: SIGNED_OUT } : { state: status },
    );
  turn("online");
  const reach = (offset: number) => {
    position = place(offset);
    delivery.advance();
  };
  const reread = (anew: Position) => {
    position = anew;
    delivery.reread();
  };
  return { delivery, state, turn, cabinet, answers, reach, reread };
}

const texts = (delivery: Delivery) => delivery.pending.map(({ text }) => text);
const states = (delivery: Delivery) => delivery.pending.map(({ state }) => state);
const lost = (code = 11) => new CommandError(code, "connection closed");

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
  test("is let go of without being drawn: a page out of sight draws nothing", async () => {
    const { delivery, state, answers } = setUp();
    delivery.send("hello", "c1");
    delivery.acknowledge([message(7, { clientId: "c1" })]);
    await answers[0]?.(place(1));
    expect(delivery.pending).toEqual([]);
    expect(state.stored).toBeNull();
    vi.advanceTimersByTime(60_000);
    delivery.tick();
    expect([state.sent, state.restarted]).toEqual([["hello"], 0]);
  });

  test("stays on the page until it is among the room's messages", async () => {
    const { delivery, answers, reach } = setUp();
    delivery.send("hello", "c1");
    await answers[0]?.(place(8));
    expect(states(delivery)).toEqual(["stored"]);
    reach(7);
    expect(texts(delivery)).toEqual(["hello"]);
    reach(8);
    expect(texts(delivery)).toEqual([]);
  });

  test("that was stored by an earlier attempt is in its place already", async () => {
    const { delivery, state, answers, reach } = setUp();
    reach(12);
    delivery.send("hello", "c1");
    await answers[0]?.(place(8));
    expect([texts(delivery), state.stored]).toEqual([[], null]);
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
    { clientId: "c2", text: "did not", createdAt: 0, state: "stored", problem: null },
  ]);
  const { delivery, state, turn } = setUp();
  turn("connecting");
  delivery.unsent.restore(stored);
  delivery.acknowledge([message(7, { clientId: "c1" })]);
  turn("online");
  expect(state.sent).toEqual(["did not"]);
});

test("a break sends it all again, in order", async () => {
  const { delivery, state, turn, answers } = setUp();
  delivery.send("one", "c1");
  delivery.send("two", "c2");
  turn("offline");
  await answers[0]?.(lost());
  await answers[1]?.(lost());
  expect(state.sent).toEqual(["one", "two"]);
  turn("online");
  expect(state.sent).toEqual(["one", "two", "one", "two"]);
  expect(state.restarted).toBe(0);
});

test("an answer from a log that this page has yet to read is not a reason to send again", async () => {
  const { delivery, state, answers, reach, reread } = setUp();
  delivery.send("hello", "c1");
  await answers[0]?.({ epoch: "e2", offset: 1 });
  reach(5);
  delivery.tick();
  expect([state.sent, states(delivery)]).toEqual([["hello"], ["stored"]]);
  reread({ epoch: "e2", offset: 1 });
  expect([state.sent, states(delivery)]).toEqual([["hello"], []]);
});

test("what was stored in a log that was lost since is sent again", async () => {
  const { delivery, state, answers, reread } = setUp();
  delivery.send("hello", "c1");
  await answers[0]?.(place(7));
  reread({ epoch: "e2", offset: 3 });
  expect(state.sent).toEqual(["hello", "hello"]);
});

test("an answer that does not come makes a new connection", async () => {
  const { delivery, state, answers } = setUp();
  delivery.send("hello", "c1");
  await answers[0]?.(lost(1));
  expect(state.restarted).toBe(1);
});

test("when the reader is signed out, messages fail and nothing stays in the browser", async () => {
  const { delivery, state, turn, cabinet, answers } = setUp();
  delivery.send("on its way", "c0");
  turn("offline");
  delivery.send("hello", "c1");
  cabinet.lock();
  state.stored = null;
  turn("refused");
  await answers[0]?.(lost());
  expect(states(delivery)).toEqual(["failed", "failed"]);
  delivery.retry("c1");
  delivery.tick();
  expect([state.stored, state.sent]).toEqual([null, ["on its way"]]);
});

describe("errors", () => {
  test("a lasting one fails the message", async () => {
    const { delivery, answers } = setUp();
    delivery.send("hello", "c1");
    await answers[0]?.(new CommandError(400, "No."));
    expect(delivery.pending[0]).toMatchObject({ state: "failed", problem: "No." });
  });

  test("those of another script on the page are known as well", async () => {
    const { delivery, state, answers } = setUp();
    vi.resetModules();
    const { CommandError: Theirs } = await import("../src/connection");
    expect(Theirs).not.toBe(CommandError);
    delivery.send("hello", "c1");
    await answers[0]?.(new Theirs(1, "timeout"));
    expect(state.sent).toEqual(["hello", "hello"]);
    expect(state.restarted).toBe(1);
  });

  test.each([
    [103, false, "Words of the server."],
    [409, false, "Words of the server."],
    [107, false, "This holds a character that cannot be stored. Remove it."],
    [102, false, "The server could not take this message (code 102). Reload the page"],
  ])("%i says what to do", async (code, temporary, words) => {
    const { delivery, answers } = setUp();
    delivery.send("hello", "c1");
    await answers[0]?.(new CommandError(code, "Words of the server.", temporary));
    expect(delivery.pending[0]?.problem).toContain(words);
  });

  test.each([
    [100, "The server could not store this. Try again in a moment."],
    [111, "That was too much at once. Wait a moment, then try again."],
  ])("%i again and again says what to do", async (code, words) => {
    const { delivery, answers } = setUp();
    delivery.send("hello", "c1");
    for (const at of [0, 1, 2, 3, 4]) {
      await answers[at]?.(new CommandError(code, "internal server error", true));
      vi.advanceTimersByTime(2_000);
      delivery.tick();
    }
    expect(delivery.pending[0]).toMatchObject({ state: "failed", problem: words });
  });

  test("a temporary one sends it again a little later", async () => {
    const { delivery, state, answers } = setUp();
    delivery.send("hello", "c1");
    await answers[0]?.(new CommandError(111, "Slower.", true));
    expect(state.sent).toEqual(["hello"]);
    vi.advanceTimersByTime(2_000);
    delivery.tick();
    expect(state.sent).toEqual(["hello", "hello"]);
  });
});
