import { vi } from "vitest";
import type { ChannelEvents, Person, Status } from "../src/connection";
import { LiveConnection } from "../src/live";
import type { Position } from "../src/position";
import type { Publication } from "../src/wire";

interface Command {
  readonly id?: number;
  readonly [method: string]: unknown;
}

/** The result of a command, `{error}`, or null for no answer. */
type Answer = (request: Record<string, unknown>) => object | null;

/** The server's end of a WebSocket, in the place of the browser's class. */
export class ScriptedWebSocket {
  static opened: ScriptedWebSocket[] = [];
  static answers: Record<string, Answer> = {};
  /** Whether connections come about by themselves. */
  static accepts = true;

  readonly commands: Command[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  closed = false;

  constructor(readonly url: string) {
    ScriptedWebSocket.opened.push(this);
    if (ScriptedWebSocket.accepts) queueMicrotask(() => this.onopen?.());
  }

  static get latest(): ScriptedWebSocket {
    return ScriptedWebSocket.opened.at(-1) as ScriptedWebSocket;
  }

  /** What clients have sent with a method, over all connections. */
  static requests(method: string): Record<string, unknown>[] {
    return ScriptedWebSocket.opened
      .flatMap(({ commands }) => commands)
      .filter((command) => method in command)
      .map((command) => command[method] as Record<string, unknown>);
  }

  send(text: string): void {
    for (const line of text.split("\n")) {
      const command = JSON.parse(line) as Command;
      this.commands.push(command);
      const method = Object.keys(command).find((name) => name !== "id");
      if (method === undefined) continue;
      const answer = ScriptedWebSocket.answers[method]?.(
        command[method] as Record<string, unknown>,
      );
      if (answer === null || answer === undefined) continue;
      this.say({ id: command.id, ...("error" in answer ? answer : { [method]: answer }) });
    }
  }

  close(): void {
    this.closed = true;
  }

  say(reply: object): void {
    const data = JSON.stringify(reply);
    queueMicrotask(() => this.onmessage?.({ data }));
  }

  push(channel: string, kind: object): void {
    this.say({ push: { channel, ...kind } });
  }

  /** Without a word, as when its gateway is killed. */
  drop(): void {
    this.onclose?.({ code: 1006, reason: "" });
  }

  disconnect(code: number, reason = "reason"): void {
    this.say({ push: { disconnect: { code, reason } } });
  }
}

export const EPOCH = "e1";
export const OWN = "user:1";
export const ROOM = "chat:lobby";
export const at = (offset: number, epoch = EPOCH): Position => ({ epoch, offset });

/** Let everything happen that needs no time, and what is due within some. */
export const settle = (milliseconds = 0) => vi.advanceTimersByTimeAsync(milliseconds);

export const said = (offset: number) => ({
  offset,
  data: { type: "chat", id: offset, message: `m${offset}`, username: "bob" },
});

/** What the server gives for a channel: recovered with what is missing, as the protocol says. */
export function served(head: number, request: Record<string, unknown>): object {
  const begun = { recoverable: true, positioned: true, epoch: EPOCH };
  if (request.recover !== true) return { ...begun, offset: head };
  const from = Number(request.offset ?? 0);
  const missed = Array.from({ length: head - from }, (_, index) => said(from + index + 1));
  return { ...begun, offset: from, was_recovering: true, recovered: true, publications: missed };
}

export interface Seen {
  readonly publications: Publication[];
  readonly resets: (Position | null)[];
  readonly statuses: Status["state"][];
  readonly people: [Person, boolean][];
}

/** Events of a channel that are written down. */
export function recorder(): { events: ChannelEvents; seen: Seen } {
  const seen: Seen = { publications: [], resets: [], statuses: [], people: [] };
  const events: ChannelEvents = {
    onPublication: (publication) => seen.publications.push(publication),
    onReset: (position) => seen.resets.push(position),
    onStatus: ({ state }) => seen.statuses.push(state),
    onPerson: (person, isHere) => seen.people.push([person, isHere]),
  };
  return { events, seen };
}

export const ids = (seen: Seen) =>
  seen.publications.map((publication) =>
    publication.type === "chat" ? publication.message.id : publication.type,
  );

/** A connection to a server that stands at some offset in each of two channels. */
export function connected(heads: { own: number; room: number }, isSignedIn: boolean | null = true) {
  ScriptedWebSocket.opened = [];
  ScriptedWebSocket.accepts = true;
  ScriptedWebSocket.answers = {
    connect: (request) => {
      const subs = (request.subs ?? {}) as Record<string, Record<string, unknown>>;
      const own = served(heads.own, subs[OWN] ?? {});
      return { client: "c1", version: "0", ping: 25, pong: true, subs: { [OWN]: own } };
    },
    subscribe: (request) => served(heads.room, request),
    unsubscribe: () => ({}),
    history: () => ({ epoch: EPOCH, offset: heads.own }),
  };
  const asked = vi.fn(async () => isSignedIn);
  const statuses: Status[] = [];
  const connection = new LiveConnection("wss://example.org/connection/websocket", {
    isSignedIn: asked,
    onStatus: (status) => statuses.push(status),
    openWebSocket: ScriptedWebSocket,
  });
  return { connection, statuses, asked };
}
