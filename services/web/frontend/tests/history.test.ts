import { describe, expect, test } from "vitest";
import { ApiError, type HistoryPage } from "../src/api";
import { Backoff } from "../src/backoff";
import { History } from "../src/history";
import { MessageList } from "../src/messages";
import type { WireMessage } from "../src/wiremessage";
import { message } from "./samples";

const ids = (list: MessageList) => list.all.map(({ id }) => id);

/** The server's messages, and the requests that came for them. */
class Server {
  messages: WireMessage[] = [];
  requests: (number | null)[] = [];
  failures = 0;

  read = async (before: number | null, limit: number): Promise<HistoryPage> => {
    this.requests.push(before);
    if (this.failures > 0) {
      this.failures -= 1;
      throw new ApiError(0, "The server cannot be reached.");
    }
    const found = this.messages.filter(({ id }) => before === null || id < before);
    return { messages: found.slice(-limit), more: found.length > limit };
  };
}

function setUp(count: number, known: number) {
  const server = new Server();
  server.messages = Array.from({ length: count }, (_, index) => message(index + 1));
  const list = new MessageList();
  list.add(server.messages.slice(count - known));
  const older: [boolean, boolean, string | null][] = [];
  const order: string[] = [];
  const history = new History(
    list,
    count > known,
    {
      onMessages: () => order.push("messages"),
      onOlder: (more, loading, problem) => {
        older.push([more, loading, problem]);
        order.push(loading ? "loading" : "loaded");
      },
    },
    server.read,
    new Backoff(1, 1),
  );
  return { server, list, history, older, order };
}

test("older messages come page by page until there are no more", async () => {
  const { list, history, older } = setUp(120, 50);
  expect(await history.loadOlder()).toBe(true);
  expect(list.oldestId).toBe(21);
  expect(await history.loadOlder()).toBe(true);
  expect(ids(list)).toHaveLength(120);
  expect(older.at(-1)).toEqual([false, false, null]);
  expect(await history.loadOlder()).toBe(false);
});

test("older messages are there before loading is over: no screen reader takes them for news", async () => {
  const { history, order } = setUp(60, 50);
  await history.loadOlder();
  expect(order).toEqual(["loading", "messages", "loaded"]);
});

test("two scrolls make one request", async () => {
  const { server, history } = setUp(120, 50);
  await Promise.all([history.loadOlder(), history.loadOlder()]);
  expect(server.requests).toEqual([71]);
});

test("a failed request says so and can be repeated", async () => {
  const { server, history, older } = setUp(60, 50);
  server.failures = 1;
  expect(await history.loadOlder()).toBe(false);
  expect(older.at(-1)).toEqual([true, false, "The server cannot be reached."]);
  expect(await history.loadOlder()).toBe(true);
});

test("after a reset as much is read again as was shown", async () => {
  const { server, list, history } = setUp(500, 300);
  server.messages = server.messages.filter(({ id }) => id !== 450);
  await history.reread();
  expect(ids(list)).not.toContain(450);
  expect(list.oldestId).toBeLessThanOrEqual(201);
  expect(list.newestId).toBe(500);
});

test("reading again goes on until it works", async () => {
  const { server, list, history } = setUp(10, 10);
  server.failures = 3;
  server.messages = [message(1)];
  await history.reread();
  expect(ids(list)).toEqual([1]);
});

test("a second reset during the first is honoured", async () => {
  const { server, list, history } = setUp(3, 3);
  const first = history.reread();
  server.messages = [message(1, { message: "the newest truth" })];
  await Promise.all([first, history.reread()]);
  expect(list.all.map((each) => each.message)).toEqual(["the newest truth"]);
});

describe("a message that a link leads to", () => {
  test("is fetched with all that lies between", async () => {
    const { list, history } = setUp(220, 50);
    expect(await history.reach(30)).toBe(true);
    expect(list.oldestId).toBe(21);
  });

  test("is there without a request when the page has it", async () => {
    const { server, history } = setUp(220, 50);
    expect(await history.reach(171)).toBe(true);
    expect(server.requests).toEqual([]);
  });

  test("may be too far back, or nowhere", async () => {
    const { list, history } = setUp(3_000, 50);
    expect(await history.reach(1)).toBe(false);
    expect(list.all).toHaveLength(1_000);
    expect(await history.reach(9_999)).toBe(false);
  });

  test("is not looked for again and again while nobody answers", async () => {
    const { server, history } = setUp(220, 50);
    server.failures = 1;
    expect(await history.reach(30)).toBe(false);
    expect(server.requests).toHaveLength(1);
  });
});
