import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { CommandError } from "../src/connection";
import {
  at,
  connected,
  ids,
  OWN,
  ROOM,
  recorder,
  ScriptedWebSocket,
  said,
  settle,
} from "./scripted";

const LONGEST_PAUSE = 30_500;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** A page of a room that has all up to the third message, and a server that has a fourth. */
async function inRoom(isSignedIn: boolean | null = true) {
  const heads = { own: 0, room: 4 };
  const made = connected(heads, isSignedIn);
  const room = recorder();
  made.connection.follow(OWN, at(0), recorder().events);
  const subscription = made.connection.subscribe(ROOM, at(3), room.events);
  made.connection.connect();
  await settle();
  return { ...made, heads, seen: room.seen, subscription };
}

test("one connection carries everything, from where the page was made", async () => {
  const { connection, seen, subscription } = await inRoom();
  expect(ScriptedWebSocket.opened).toHaveLength(1);
  expect(ScriptedWebSocket.requests("subscribe")).toEqual([
    expect.objectContaining({ channel: ROOM, recover: true, epoch: "e1", offset: 3 }),
  ]);
  expect(connection.status.state).toBe("online");
  expect(seen.statuses).toEqual(["connecting", "online"]);
  expect(ids(seen)).toEqual([4]);
  expect(subscription.position).toEqual(at(4));
});

describe("a channel that was empty when the page was made", () => {
  async function opened(room: number) {
    const { connection } = connected({ own: 0, room });
    const { events, seen } = recorder();
    connection.subscribe(ROOM, null, events);
    connection.connect();
    await settle();
    return seen;
  }

  test("is read again when something has come since", async () => {
    expect((await opened(2)).resets).toEqual([at(2)]);
  });

  test("is left alone while it is still empty", async () => {
    expect((await opened(0)).resets).toEqual([]);
  });

  test("is read once: coming back it has a position", async () => {
    const seen = await opened(2);
    ScriptedWebSocket.latest.drop();
    await settle(LONGEST_PAUSE);
    expect(seen.resets).toHaveLength(1);
    expect(seen.statuses.at(-1)).toBe("online");
  });
});

describe("after a break", () => {
  test("what was missed comes once and in order", async () => {
    const { connection, heads, seen } = await inRoom();
    ScriptedWebSocket.latest.push(ROOM, { pub: said(5) });
    await settle();
    ScriptedWebSocket.latest.drop();
    expect(connection.status.state).toBe("offline");
    expect(seen.statuses.at(-1)).toBe("offline");
    heads.room = 8;
    await settle(LONGEST_PAUSE);
    expect(ScriptedWebSocket.opened).toHaveLength(2);
    expect(ids(seen)).toEqual([4, 5, 6, 7, 8]);
    expect(seen.resets).toEqual([]);
  });

  test("a refused recovery has the page read again", async () => {
    const { seen, subscription } = await inRoom();
    ScriptedWebSocket.answers.subscribe = () => ({
      recoverable: true,
      positioned: true,
      epoch: "e2",
      offset: 1,
      was_recovering: true,
    });
    ScriptedWebSocket.latest.drop();
    await settle(LONGEST_PAUSE);
    expect(seen.resets).toEqual([at(1, "e2")]);
    ScriptedWebSocket.latest.push(ROOM, { pub: said(2) });
    await settle();
    expect(subscription.position).toEqual(at(2, "e2"));
  });

  test("pauses are spread at random, and never longer than half a minute", async () => {
    await inRoom();
    ScriptedWebSocket.accepts = false;
    const random = vi.spyOn(Math, "random").mockReturnValue(0.999);
    ScriptedWebSocket.latest.drop();
    for (let attempt = 0; attempt < 12; attempt += 1) {
      const before = ScriptedWebSocket.opened.length;
      await settle(LONGEST_PAUSE);
      expect(ScriptedWebSocket.opened.length).toBeGreaterThan(before);
      ScriptedWebSocket.latest.drop();
    }
    expect(random).toHaveBeenCalled();
    random.mockRestore();
  });
});

describe("an end for good", () => {
  test.each([
    [4501, "signed-out"],
    [4503, "suspended"],
    [3504, "too-many"],
    [3507, "no-access"],
    [3777, "refused"],
  ])("%i is told to everybody, and nobody comes back", async (code, cause) => {
    const { connection, seen } = await inRoom();
    ScriptedWebSocket.latest.disconnect(code);
    await settle(LONGEST_PAUSE);
    expect(connection.status).toMatchObject({ state: "refused", refusal: { cause } });
    expect(seen.statuses.at(-1)).toBe("refused");
    expect(ScriptedWebSocket.opened).toHaveLength(1);
    await connection.wake();
    await settle(LONGEST_PAUSE);
    expect(ScriptedWebSocket.opened).toHaveLength(1);
  });

  test.each([
    [false, "signed-out"],
    [true, "refused"],
  ])("nobody in particular: signed in is %s", async (isSignedIn, cause) => {
    const { connection, asked } = await inRoom(isSignedIn);
    ScriptedWebSocket.latest.disconnect(3501);
    await settle();
    expect(asked).toHaveBeenCalledTimes(1);
    expect(connection.status).toMatchObject({ state: "refused", refusal: { cause } });
  });

  test.each([
    [false, "signed-out"],
    [true, "refused"],
  ])("let in as nobody: signed in is %s", async (isSignedIn, cause) => {
    const { connection, asked } = await inRoom(isSignedIn);
    ScriptedWebSocket.answers.connect = () => ({
      client: "c2",
      version: "0",
      ping: 25,
      pong: true,
    });
    ScriptedWebSocket.latest.drop();
    await settle(LONGEST_PAUSE);
    expect(asked).toHaveBeenCalledTimes(1);
    expect(connection.status).toMatchObject({ state: "refused", refusal: { cause } });
    expect(ScriptedWebSocket.latest.closed).toBe(true);
  });

  test("let in as nobody, and nobody to ask: it tries again", async () => {
    const { connection } = await inRoom(null);
    const { connect } = ScriptedWebSocket.answers;
    ScriptedWebSocket.answers.connect = () => ({
      client: "c2",
      version: "0",
      ping: 25,
      pong: true,
    });
    ScriptedWebSocket.latest.drop();
    await settle(LONGEST_PAUSE);
    expect(connection.status.state).not.toBe("refused");
    ScriptedWebSocket.answers.connect = connect as NonNullable<typeof connect>;
    await settle(2 * LONGEST_PAUSE);
    expect(connection.status.state).toBe("online");
  });

  test("the reader's own channel is taken away", async () => {
    const { connection, asked } = await inRoom(false);
    ScriptedWebSocket.latest.push(OWN, {
      unsubscribe: { code: 2000, reason: "server unsubscribe" },
    });
    await settle();
    expect(asked).toHaveBeenCalledTimes(1);
    expect(connection.status).toMatchObject({ refusal: { cause: "signed-out" } });
  });

  test("nobody in particular, and nobody to ask: it tries again", async () => {
    const { connection } = await inRoom(null);
    ScriptedWebSocket.latest.disconnect(3501);
    await settle();
    expect(connection.status.state).toBe("offline");
    await settle(LONGEST_PAUSE);
    expect(connection.status.state).toBe("online");
  });

  test.each([2000, 103])("of a subscription alone (%i) leaves the others", async (code) => {
    const { connection, seen } = await inRoom();
    if (code === 2000) {
      ScriptedWebSocket.latest.push(ROOM, { unsubscribe: { code, reason: "not a member" } });
    } else {
      ScriptedWebSocket.answers.subscribe = () => ({ error: { code, message: "no" } });
      ScriptedWebSocket.latest.drop();
    }
    await settle(LONGEST_PAUSE);
    expect(seen.statuses.at(-1)).toBe("refused");
    expect(connection.status.state).toBe("online");
  });

  test("of one's own is no refusal", async () => {
    const { seen, subscription } = await inRoom();
    subscription.end();
    await settle();
    expect(seen.statuses.at(-1)).toBe("online");
    expect(ScriptedWebSocket.requests("unsubscribe")).toEqual([{ channel: ROOM }]);
  });
});

describe("commands", () => {
  const failure = async (answer: object | null, milliseconds = 0) => {
    const { connection } = await inRoom();
    ScriptedWebSocket.answers.rpc = () => answer;
    const failed = connection.call("chat.send", { n: 1 }).catch((error: unknown) => error);
    await settle(milliseconds);
    return (await failed) as CommandError;
  };

  test("have a result", async () => {
    const { connection } = await inRoom();
    ScriptedWebSocket.answers.rpc = ({ method, data }) => ({ data: { method, data } });
    const answer = connection.call("chat.send", { n: 1 });
    await settle();
    expect(await answer).toEqual({ method: "chat.send", data: { n: 1 } });
  });

  test("are refused with words", async () => {
    const error = await failure({ error: { code: 400, message: "Too long." } });
    expect(error).toBeInstanceOf(CommandError);
    expect([error.code, error.message]).toEqual([400, "Too long."]);
    expect([error.isLost, error.isTemporary]).toEqual([false, false]);
  });

  test("may be tried again", async () => {
    const error = await failure({ error: { code: 111, message: "Slower.", temporary: true } });
    expect([error.isLost, error.isTemporary]).toEqual([false, true]);
  });

  test("without an answer are lost", async () => {
    expect((await failure(null, 10_100)).isLost).toBe(true);
  });

  test("are lost with the connection", async () => {
    const { connection } = await inRoom();
    const failed = connection.call("chat.send", {}).catch((error: unknown) => error);
    await settle();
    ScriptedWebSocket.latest.drop();
    expect(await failed).toMatchObject({ isLost: true });
  });
});

describe("a connection that may be dead without knowing", () => {
  test("answers when the reader comes back, and stays", async () => {
    const { connection } = await inRoom();
    void connection.wake();
    await settle(LONGEST_PAUSE / 2);
    expect(ScriptedWebSocket.requests("history")).toEqual([{ channel: OWN, limit: 0 }]);
    expect(ScriptedWebSocket.opened).toHaveLength(1);
  });

  test("does not, and is left for a new one at once", async () => {
    const { connection, seen } = await inRoom();
    ScriptedWebSocket.answers.history = () => null;
    void connection.wake();
    await settle(10_100);
    expect(ScriptedWebSocket.opened).toHaveLength(2);
    expect(ScriptedWebSocket.opened[0]?.closed).toBe(true);
    expect(connection.status.state).toBe("online");
    expect(ids(seen)).toEqual([4]);
  });

  test("is found by the server's pings that do not come", async () => {
    await inRoom();
    ScriptedWebSocket.answers.history = () => null;
    await settle(25_000 + 10_000 + LONGEST_PAUSE);
    expect(ScriptedWebSocket.opened.length).toBeGreaterThan(1);
  });

  test("does not wait out its pause when the network comes back", async () => {
    const { connection } = await inRoom();
    connection.pause();
    expect(connection.status.state).toBe("offline");
    void connection.wake();
    await settle();
    expect(connection.status.state).toBe("online");
  });
});

test("who comes and who goes is told with their names", async () => {
  const { seen, subscription } = await inRoom();
  const info = { user: "2", client: "c2", conn_info: { username: "bob" } };
  ScriptedWebSocket.latest.push(ROOM, { join: { info } });
  ScriptedWebSocket.latest.push(ROOM, { leave: { info: { user: "3", client: "c3" } } });
  ScriptedWebSocket.answers.presence = () => ({ presence: { c2: info } });
  ScriptedWebSocket.answers.presence_stats = () => ({ num_clients: 2, num_users: 1 });
  await settle();
  expect(seen.people).toEqual([
    [{ user: "2", username: "bob" }, true],
    [{ user: "3", username: null }, false],
  ]);
  const [people, size] = [subscription.people(), subscription.size()];
  await settle();
  expect(await people).toEqual([{ user: "2", username: "bob" }]);
  expect(await size).toEqual({ clients: 2, users: 1 });
  expect(ScriptedWebSocket.requests("subscribe")[0]).toMatchObject({ join_leave: true });
});
