import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Backoff } from "../src/backoff";
import type { Status } from "../src/connection";
import type { Access } from "../src/endpoint";
import { EndpointConnection } from "../src/endpointconnection";
import type { Position } from "../src/position";
import type { ErrorFrame, Publication } from "../src/wire";

/** The server's end of a webSocket, in the place of the browser's class, which Node lacks. */
class ScriptedWebSocket {
  readyState = 0;
  readonly sent: unknown[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;

  constructor(readonly url: string) {}

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.readyState = 3;
  }

  frame(value: unknown): void {
    this.onmessage?.({ data: JSON.stringify(value) });
  }

  establish(offset = 0): void {
    this.readyState = 1;
    this.onopen?.();
    const positions = { "chat:lobby": { epoch: "e1", offset } };
    this.frame({ type: "connection_established", message: "You are now connected!", positions });
  }

  chat(offset: number, epoch = "e1"): void {
    this.frame({ type: "chat", id: offset, message: "hi", username: "bob", epoch, offset });
  }

  end(code: number): void {
    this.readyState = 3;
    this.onclose?.({ code });
  }
}

const at = (epoch: string, offset: number) => new Map([["chat:lobby", { epoch, offset }]]);

function setUp(
  access: Access = "allowed",
  position: Position | null = { epoch: "e1", offset: 7 },
  random: () => number = () => 1,
) {
  const opened: ScriptedWebSocket[] = [];
  const seen = {
    statuses: [] as Status[],
    publications: [] as Publication[],
    resets: [] as string[],
    errors: [] as ErrorFrame[],
  };
  const checkAccess = vi.fn(async () => access);
  const readPositions = vi.fn(
    async (): Promise<ReadonlyMap<string, Position> | null> => at("e1", 7),
  );
  const connection = new EndpointConnection(
    {
      url: "wss://chat.example.org/ws/chat/lobby/",
      channels: [{ name: "chat:lobby", parameter: "since", types: ["chat", "deleted"] }],
      checkAccess,
      readPositions,
    },
    {
      onPublication: (_channel, publication) => seen.publications.push(publication),
      onReset: (channel) => seen.resets.push(channel),
      onStatus: (status) => seen.statuses.push(status),
      onError: (error) => seen.errors.push(error),
    },
    {
      backoff: new Backoff(500, 30_000, random),
      openWebSocket: (url) => {
        const webSocket = new ScriptedWebSocket(url);
        opened.push(webSocket);
        return webSocket as unknown as WebSocket;
      },
    },
  );
  connection.subscribe("chat:lobby", position);
  connection.connect();
  const latest = () => opened.at(-1) as ScriptedWebSocket;
  return { connection, opened, latest, seen, checkAccess, readPositions };
}

const since = (webSocket: ScriptedWebSocket) => new URL(webSocket.url).searchParams.get("since");

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test("it asks from the page's position and is online after the greeting", () => {
  const { connection, latest } = setUp();
  expect(since(latest())).toBe("e1.7");
  expect(connection.status.state).toBe("connecting");
  latest().establish(7);
  expect(connection.status.state).toBe("online");
});

describe("a channel that was empty when the page was made", () => {
  function greeted(offset: number) {
    const all = setUp("allowed", null);
    all.latest().establish(offset);
    return all;
  }

  test("is read again when something has come since", () => {
    const { connection, latest, seen } = greeted(1);
    expect(since(latest())).toBeNull();
    expect(seen.resets).toEqual(["chat:lobby"]);
    expect(connection.position("chat:lobby")).toEqual({ epoch: "e1", offset: 1 });
  });

  test("is read once: coming back it has a position", () => {
    const { latest, seen } = greeted(1);
    latest().end(1006);
    vi.advanceTimersByTime(60_000);
    latest().establish(1);
    expect(seen.resets).toHaveLength(1);
  });

  test("is left alone while it is still empty", () => {
    expect(greeted(0).seen.resets).toEqual([]);
  });
});

test("publications are passed on, repeats too: their ids tell", () => {
  const { connection, latest, seen } = setUp();
  latest().establish(7);
  latest().chat(8);
  latest().chat(8);
  expect(seen.publications).toHaveLength(2);
  expect(connection.position("chat:lobby")).toEqual({ epoch: "e1", offset: 8 });
});

describe("coming back", () => {
  test.each([1001, 1006, 1012, 3001, 4000])("after code %i, from where it stood", (code) => {
    const { latest, opened } = setUp();
    latest().establish(7);
    latest().chat(8);
    latest().end(code);
    vi.advanceTimersByTime(500);
    expect(opened).toHaveLength(2);
    expect(since(latest())).toBe("e1.8");
  });

  test.each([
    [0.002, 1],
    [0.31, 155],
    [1, 500],
  ])("from a gateway that restarts, after %f of the bound", async (part, pause) => {
    const { latest, opened, seen, checkAccess } = setUp("allowed", undefined, () => part);
    latest().establish(7);
    latest().end(1012);
    expect(seen.statuses.at(-1)).toEqual({ state: "offline", retryAt: Date.now() + pause });
    await vi.advanceTimersByTimeAsync(pause - 1);
    expect(opened).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(opened).toHaveLength(2);
    expect(since(latest())).toBe("e1.7");
    latest().establish(7);
    // The reader was told of nothing but a new connection.
    expect(seen.statuses.map(({ state }) => state)).toEqual([
      "connecting",
      "online",
      "offline",
      "connecting",
      "online",
    ]);
    expect([seen.errors, seen.resets]).toEqual([[], []]);
    expect(checkAccess).not.toHaveBeenCalled();
  });

  test("the pause grows until a connection has lasted", async () => {
    const { latest, opened } = setUp();
    for (const pause of [500, 1000, 2000]) {
      const before = opened.length;
      latest().establish(7);
      latest().end(1006);
      await vi.advanceTimersByTimeAsync(pause - 1);
      expect(opened).toHaveLength(before);
      await vi.advanceTimersByTimeAsync(1);
      expect(opened).toHaveLength(before + 1);
    }
    latest().establish(7);
    await vi.advanceTimersByTimeAsync(10_000);
    const before = opened.length;
    latest().end(1006);
    await vi.advanceTimersByTimeAsync(500);
    expect(opened).toHaveLength(before + 1);
  });

  test("a greeting that never comes counts as a lost connection", () => {
    const { latest, opened } = setUp();
    latest().onopen?.();
    vi.advanceTimersByTime(10_000);
    expect(latest().readyState).toBe(3);
    vi.advanceTimersByTime(500);
    expect(opened).toHaveLength(2);
  });

  test("what a dropped webSocket still says is ignored", () => {
    const { connection, opened, seen } = setUp();
    opened[0]?.establish(7);
    connection.reconnect();
    opened[0]?.chat(8);
    opened[0]?.end(3507);
    expect(seen.publications).toEqual([]);
    expect(connection.status.state).toBe("offline");
  });

  test("a hole that the server does not fill is fetched anew", () => {
    const { latest, opened } = setUp();
    latest().establish(7);
    latest().chat(9);
    vi.advanceTimersByTime(8_000);
    vi.advanceTimersByTime(500);
    expect(opened).toHaveLength(2);
    expect(since(latest())).toBe("e1.7");
  });

  test("a hole that is filled in time changes nothing", () => {
    const { latest, opened } = setUp();
    latest().establish(7);
    latest().chat(9);
    latest().chat(8);
    vi.advanceTimersByTime(60_000);
    expect(opened).toHaveLength(1);
  });

  test("a publication of unknown type makes no hole", () => {
    const { connection, latest } = setUp();
    latest().establish(7);
    latest().frame({ type: "redacted", epoch: "e1", offset: 8 });
    latest().chat(9);
    expect(connection.position("chat:lobby")?.offset).toBe(9);
  });

  test("not after it was closed", () => {
    const { connection, latest, opened } = setUp();
    latest().establish(7);
    connection.close();
    vi.advanceTimersByTime(120_000);
    expect(opened).toHaveLength(1);
  });
});

describe("a refused handshake, which browsers do not explain", () => {
  test.each([
    ["signed-out", "signed-out"],
    ["no-access", "no-access"],
  ] as const)("%s ends it", async (access, cause) => {
    const { connection, latest, opened } = setUp(access);
    latest().end(1006);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(connection.status).toMatchObject({ state: "refused", refusal: { cause } });
    expect(opened).toHaveLength(1);
    connection.reconnect();
    expect(opened).toHaveLength(1);
  });

  test.each(["allowed", "unknown"] as const)("%s is a reason to try again", async (access) => {
    const { latest, opened } = setUp(access);
    latest().end(1006);
    await vi.advanceTimersByTimeAsync(500);
    expect(opened).toHaveLength(2);
  });

  test("nobody is asked when an open connection breaks", async () => {
    const { latest, checkAccess } = setUp();
    latest().establish(7);
    latest().end(1006);
    await vi.advanceTimersByTimeAsync(400);
    expect(checkAccess).not.toHaveBeenCalled();
  });
});

describe("a connection that died without a word", () => {
  test("is left when the server is ahead of it for more than a moment", async () => {
    const { connection, opened, latest, readPositions } = setUp();
    latest().establish(7);
    readPositions.mockResolvedValue(at("e1", 9));
    connection.wake();
    await vi.advanceTimersByTimeAsync(5_999);
    expect(opened).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(501);
    expect(opened).toHaveLength(2);
    expect(since(latest())).toBe("e1.7");
  });

  test("is kept when what was missing comes after all", async () => {
    const { connection, opened, latest, readPositions } = setUp();
    latest().establish(7);
    readPositions.mockResolvedValue(at("e1", 8));
    await connection.check(0);
    latest().chat(8);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(opened).toHaveLength(1);
  });

  test("is left when the stream is another one by now", async () => {
    const { connection, opened, latest, readPositions } = setUp();
    latest().establish(7);
    readPositions.mockResolvedValue(at("e2", 0));
    await connection.check(0);
    await vi.advanceTimersByTimeAsync(6_500);
    expect(opened).toHaveLength(2);
  });

  test("is left when nobody answers", async () => {
    const { connection, opened, latest, readPositions } = setUp();
    latest().establish(7);
    readPositions.mockRejectedValue(new Error("unreachable"));
    await connection.check(0);
    expect(connection.status.state).toBe("offline");
    await vi.advanceTimersByTimeAsync(500);
    expect(opened).toHaveLength(2);
  });

  test.each([null, new Map()])("is kept when the answer says nothing: %j", async (answer) => {
    const { connection, opened, latest, readPositions } = setUp();
    latest().establish(7);
    readPositions.mockResolvedValue(answer);
    await connection.check(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(opened).toHaveLength(1);
  });

  test("nobody is asked twice at once, nor soon after something was heard", async () => {
    const { connection, latest, readPositions } = setUp();
    latest().establish(7);
    await vi.advanceTimersByTimeAsync(59_000);
    await connection.check(60_000);
    expect(readPositions).toHaveBeenCalledTimes(0);
    await vi.advanceTimersByTimeAsync(1_000);
    await Promise.all([connection.check(60_000), connection.check(60_000)]);
    expect(readPositions).toHaveBeenCalledTimes(1);
    await connection.check(60_000);
    expect(readPositions).toHaveBeenCalledTimes(1);
  });

  test("an answer about an earlier connection changes nothing", async () => {
    const { connection, opened, latest, readPositions } = setUp();
    latest().establish(7);
    readPositions.mockRejectedValue(new Error("unreachable"));
    const checked = connection.check(0);
    connection.reconnect();
    await vi.advanceTimersByTimeAsync(500);
    latest().establish(7);
    await checked;
    expect(connection.status.state).toBe("online");
    expect(opened).toHaveLength(2);
  });
});

describe("waking up", () => {
  test("ends a long pause at once, and the next one is short again", async () => {
    const { connection, opened, latest } = setUp();
    for (let round = 0; round < 6; round += 1) {
      latest().establish(7);
      latest().end(1006);
      await vi.advanceTimersByTimeAsync(16_000);
    }
    latest().end(1006);
    await vi.advanceTimersByTimeAsync(1);
    const before = opened.length;
    connection.wake();
    expect(opened).toHaveLength(before + 1);
    latest().establish(7);
    latest().end(1006);
    await vi.advanceTimersByTimeAsync(500);
    expect(opened).toHaveLength(before + 2);
  });

  test("leaves a healthy connection alone", async () => {
    const { connection, opened, latest, seen } = setUp();
    latest().establish(7);
    connection.wake();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(opened).toHaveLength(1);
    expect(seen.statuses.at(-1)).toEqual({ state: "online" });
  });

  test("begins a hanging attempt anew, but not one that has just begun", async () => {
    const { connection, opened } = setUp();
    connection.wake();
    expect(opened).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(2_000);
    connection.wake();
    connection.wake();
    expect(opened).toHaveLength(2);
    expect(opened[0]?.readyState).toBe(3);
    expect(connection.status.state).toBe("connecting");
  });

  test("does not open what was closed for good", () => {
    const { connection, opened, latest } = setUp();
    latest().establish(7);
    connection.close();
    connection.wake();
    connection.reconnect();
    expect(opened).toHaveLength(1);
  });

  test("does not undo a refusal", () => {
    const { connection, opened, latest } = setUp();
    latest().establish(7);
    latest().end(4501);
    connection.wake();
    expect(opened).toHaveLength(1);
  });
});

test.each([3500, 3507, 4501])("code %i is final and says what to do", (code) => {
  const { connection, latest, opened } = setUp();
  latest().establish(7);
  latest().end(code);
  vi.advanceTimersByTime(120_000);
  expect(connection.status.state).toBe("refused");
  expect(opened).toHaveLength(1);
});

test("a reset moves the position and is reported", () => {
  const { connection, latest, seen } = setUp();
  latest().establish(7);
  latest().frame({ type: "reset", channel: "chat:lobby", epoch: "e2", offset: 3 });
  expect(seen.resets).toEqual(["chat:lobby"]);
  latest().chat(4, "e2");
  expect(connection.position("chat:lobby")).toEqual({ epoch: "e2", offset: 4 });
});

test("the reset of a channel that nobody follows is not reported", () => {
  const { latest, seen } = setUp();
  latest().establish(7);
  latest().frame({ type: "reset", channel: "announcements:all", epoch: "e2", offset: 3 });
  expect(seen.resets).toEqual([]);
});

test("sending works online alone", () => {
  const { connection, latest } = setUp();
  expect(connection.publish("hi", "c1")).toBe(false);
  latest().establish(7);
  expect(connection.publish("hi", "c1")).toBe(true);
  expect(latest().sent).toEqual([{ message: "hi", client_id: "c1" }]);
});

test("errors are passed on and end nothing", () => {
  const { connection, latest, seen } = setUp();
  latest().establish(7);
  latest().frame({ type: "error", code: 400, message: "Too long.", client_id: "c1" });
  expect(seen.errors[0]).toMatchObject({ code: 400, clientId: "c1" });
  expect(connection.status.state).toBe("online");
});

test("binary frames and nonsense are ignored", () => {
  const { connection, latest, seen } = setUp();
  latest().establish(7);
  latest().onmessage?.({ data: new ArrayBuffer(3) });
  latest().onmessage?.({ data: "{" });
  expect(connection.status.state).toBe("online");
  expect(seen.publications).toEqual([]);
});
