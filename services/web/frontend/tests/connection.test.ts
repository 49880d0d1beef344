import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Backoff } from "../src/backoff";
import { type Access, SocketConnection, type Status } from "../src/connection";
import type { ErrorFrame, Publication } from "../src/wire";

/** The server's end of a socket, in the place of the browser's class, which Node lacks. */
class ScriptedSocket {
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

function setUp(access: Access = "allowed") {
  const sockets: ScriptedSocket[] = [];
  const seen = {
    statuses: [] as Status[],
    publications: [] as Publication[],
    resets: [] as string[],
    errors: [] as ErrorFrame[],
  };
  const checkAccess = vi.fn(async () => access);
  const connection = new SocketConnection(
    {
      url: "wss://chat.example.org/ws/chat/lobby/",
      channels: [{ name: "chat:lobby", parameter: "since", types: ["chat", "deleted"] }],
      checkAccess,
    },
    {
      onPublication: (_channel, publication) => seen.publications.push(publication),
      onReset: (channel) => seen.resets.push(channel),
      onStatus: (status) => seen.statuses.push(status),
      onError: (error) => seen.errors.push(error),
    },
    {
      backoff: new Backoff(500, 30_000, () => 1),
      openSocket: (url) => {
        const socket = new ScriptedSocket(url);
        sockets.push(socket);
        return socket as unknown as WebSocket;
      },
    },
  );
  connection.subscribe("chat:lobby", { epoch: "e1", offset: 7 });
  connection.connect();
  const latest = () => sockets.at(-1) as ScriptedSocket;
  return { connection, sockets, latest, seen, checkAccess };
}

const since = (socket: ScriptedSocket) => new URL(socket.url).searchParams.get("since");

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
    const { latest, sockets } = setUp();
    latest().establish(7);
    latest().chat(8);
    latest().end(code);
    vi.advanceTimersByTime(500);
    expect(sockets).toHaveLength(2);
    expect(since(latest())).toBe("e1.8");
  });

  test("the pause grows until a connection has lasted", async () => {
    const { latest, sockets } = setUp();
    for (const pause of [500, 1000, 2000]) {
      const before = sockets.length;
      latest().establish(7);
      latest().end(1006);
      await vi.advanceTimersByTimeAsync(pause - 1);
      expect(sockets).toHaveLength(before);
      await vi.advanceTimersByTimeAsync(1);
      expect(sockets).toHaveLength(before + 1);
    }
    latest().establish(7);
    await vi.advanceTimersByTimeAsync(10_000);
    const before = sockets.length;
    latest().end(1006);
    await vi.advanceTimersByTimeAsync(500);
    expect(sockets).toHaveLength(before + 1);
  });

  test("a greeting that never comes counts as a lost connection", () => {
    const { latest, sockets } = setUp();
    latest().onopen?.();
    vi.advanceTimersByTime(10_000);
    expect(latest().readyState).toBe(3);
    vi.advanceTimersByTime(500);
    expect(sockets).toHaveLength(2);
  });

  test("what a dropped socket still says is ignored", () => {
    const { connection, sockets, seen } = setUp();
    sockets[0]?.establish(7);
    connection.reconnect();
    sockets[0]?.chat(8);
    sockets[0]?.end(3507);
    expect(seen.publications).toEqual([]);
    expect(connection.status.state).toBe("offline");
  });

  test("a hole that the server does not fill is fetched anew", () => {
    const { latest, sockets } = setUp();
    latest().establish(7);
    latest().chat(9);
    vi.advanceTimersByTime(8_000);
    vi.advanceTimersByTime(500);
    expect(sockets).toHaveLength(2);
    expect(since(latest())).toBe("e1.7");
  });

  test("a hole that is filled in time changes nothing", () => {
    const { latest, sockets } = setUp();
    latest().establish(7);
    latest().chat(9);
    latest().chat(8);
    vi.advanceTimersByTime(60_000);
    expect(sockets).toHaveLength(1);
  });

  test("a publication of unknown type makes no hole", () => {
    const { connection, latest } = setUp();
    latest().establish(7);
    latest().frame({ type: "redacted", epoch: "e1", offset: 8 });
    latest().chat(9);
    expect(connection.position("chat:lobby")?.offset).toBe(9);
  });

  test("not after it was closed", () => {
    const { connection, latest, sockets } = setUp();
    latest().establish(7);
    connection.close();
    vi.advanceTimersByTime(120_000);
    expect(sockets).toHaveLength(1);
  });
});

describe("a refused handshake, which browsers do not explain", () => {
  test.each([
    ["signed-out", "signed-out"],
    ["no-access", "no-access"],
  ] as const)("%s ends it", async (access, cause) => {
    const { connection, latest, sockets } = setUp(access);
    latest().end(1006);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(connection.status).toMatchObject({ state: "refused", refusal: { cause } });
    expect(sockets).toHaveLength(1);
    connection.reconnect();
    expect(sockets).toHaveLength(1);
  });

  test.each(["allowed", "unknown"] as const)("%s is a reason to try again", async (access) => {
    const { latest, sockets } = setUp(access);
    latest().end(1006);
    await vi.advanceTimersByTimeAsync(500);
    expect(sockets).toHaveLength(2);
  });

  test("nobody is asked when an open connection breaks", async () => {
    const { latest, checkAccess } = setUp();
    latest().establish(7);
    latest().end(1006);
    await vi.advanceTimersByTimeAsync(400);
    expect(checkAccess).not.toHaveBeenCalled();
  });
});

test.each([3500, 3507, 4501])("code %i is final and says what to do", (code) => {
  const { connection, latest, sockets } = setUp();
  latest().establish(7);
  latest().end(code);
  vi.advanceTimersByTime(120_000);
  expect(connection.status.state).toBe("refused");
  expect(sockets).toHaveLength(1);
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
