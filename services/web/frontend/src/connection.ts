/**
 * The one module that owns a WebSocket.
 *
 * Guarantee: every publication of the subscribed channels reaches `onPublication` at least once
 * for as long as the page lives, or `onReset` says that the history must be read again. A
 * publication may come twice (catch-up beside live, or the answer to a resend); readers go by its
 * id. After a break the connection returns by itself until it is closed or refused for good.
 *
 * The rest of the page knows `Connection` and `ConnectionEvents` alone, so that a client library
 * can take this module's place.
 */

import { Backoff } from "./backoff";
import { isTerminal, NO_ACCESS, type Refusal, refusalFor, SIGNED_OUT } from "./closecodes";
import { formatPosition, type Position, PositionStore } from "./position";
import { type ErrorFrame, type Frame, type Publication, readFrame } from "./wire";

export type Status =
  | { readonly state: "connecting" }
  | { readonly state: "online" }
  | { readonly state: "offline"; readonly retryAt: number | null }
  | { readonly state: "refused"; readonly refusal: Refusal };

export interface ConnectionEvents {
  onPublication(channel: string, publication: Publication): void;
  /** The channel's position could not be recovered: read its history again. */
  onReset(channel: string): void;
  onStatus(status: Status): void;
  onError(error: ErrorFrame): void;
}

export interface Connection {
  readonly status: Status;
  /** Follow a channel from a position; null means from now on. Call before `connect`. */
  subscribe(channel: string, position: Position | null): void;
  position(channel: string): Position | null;
  connect(): void;
  /** Close for good. */
  close(): void;
  /** Drop a connection that seems dead and come back. */
  reconnect(): void;
  /** Send a message; false when the connection is not online, and nothing was sent. */
  publish(text: string, clientId: string): boolean;
}

/** A channel as a plain endpoint carries it. */
export interface EndpointChannel {
  readonly name: string;
  /** The query parameter that takes the position. */
  readonly parameter: string;
  readonly types: readonly Publication["type"][];
}

/** Whether the server would let this reader in, asked over HTTP. */
export type Access = "allowed" | "signed-out" | "no-access" | "unknown";

export interface Endpoint {
  readonly url: string;
  readonly channels: readonly EndpointChannel[];
  /** Browsers hide why a handshake failed, so this is asked after one did. */
  checkAccess(): Promise<Access>;
}

export interface ConnectionOptions {
  readonly backoff?: Backoff;
  readonly openSocket?: (url: string) => WebSocket;
}

const ESTABLISH_TIMEOUT_MS = 10_000;
const STABLE_AFTER_MS = 10_000;
const HOLE_TIMEOUT_MS = 8_000;
const WEBSOCKET_OPEN = 1;

type Timer = ReturnType<typeof setTimeout>;

export class SocketConnection implements Connection {
  private readonly backoff: Backoff;
  private readonly openSocket: (url: string) => WebSocket;
  private readonly positions = new PositionStore();
  private readonly subscribed = new Set<string>();
  private socket: WebSocket | null = null;
  private current: Status = { state: "offline", retryAt: null };
  private retryTimer: Timer | undefined;
  private establishTimer: Timer | undefined;
  private stableTimer: Timer | undefined;
  private holeTimer: Timer | undefined;

  constructor(
    private readonly endpoint: Endpoint,
    private readonly events: ConnectionEvents,
    options: ConnectionOptions = {},
  ) {
    this.backoff = options.backoff ?? new Backoff();
    this.openSocket = options.openSocket ?? ((url) => new WebSocket(url));
  }

  get status(): Status {
    return this.current;
  }

  subscribe(channel: string, position: Position | null): void {
    this.subscribed.add(channel);
    if (position !== null) this.positions.set(channel, position);
  }

  position(channel: string): Position | null {
    return this.positions.get(channel);
  }

  connect(): void {
    if (this.socket !== null || this.current.state === "refused") return;
    clearTimeout(this.retryTimer);
    this.setStatus({ state: "connecting" });
    const socket = this.openSocket(this.address());
    this.socket = socket;
    let opened = false;
    this.establishTimer = setTimeout(() => this.lose(socket), ESTABLISH_TIMEOUT_MS);
    socket.onopen = () => {
      opened = true;
    };
    socket.onmessage = (event: MessageEvent) => {
      if (this.socket !== socket || typeof event.data !== "string") return;
      const frame = readFrame(event.data);
      if (frame !== null) this.receive(frame);
    };
    socket.onclose = (event: CloseEvent) => {
      if (this.socket !== socket) return;
      this.forget();
      if (isTerminal(event.code)) this.refuse(refusalFor(event.code));
      else if (opened) this.retryLater();
      else void this.retryUnlessRefused();
    };
  }

  close(): void {
    const socket = this.socket;
    this.forget();
    clearTimeout(this.retryTimer);
    if (this.current.state !== "refused") this.setStatus({ state: "offline", retryAt: null });
    socket?.close(1000);
  }

  reconnect(): void {
    if (this.current.state === "refused") return;
    if (this.socket !== null) {
      this.lose(this.socket);
      return;
    }
    // Between two attempts: whoever calls knows that now is a better time than the timer's.
    this.connect();
  }

  publish(text: string, clientId: string): boolean {
    if (this.current.state !== "online" || this.socket?.readyState !== WEBSOCKET_OPEN) return false;
    this.socket.send(JSON.stringify({ message: text, client_id: clientId }));
    return true;
  }

  private address(): string {
    const url = new URL(this.endpoint.url);
    for (const { name, parameter } of this.endpoint.channels) {
      const position = this.subscribed.has(name) ? this.positions.get(name) : null;
      if (position !== null) url.searchParams.set(parameter, formatPosition(position));
    }
    return url.href;
  }

  private receive(frame: Frame): void {
    switch (frame.type) {
      case "connection_established":
        clearTimeout(this.establishTimer);
        for (const [channel, position] of frame.positions) {
          // A channel that has a position keeps it: what lies between is about to be sent.
          if (this.positions.get(channel) === null) this.positions.set(channel, position);
        }
        this.stableTimer = setTimeout(() => this.backoff.reset(), STABLE_AFTER_MS);
        this.setStatus({ state: "online" });
        return;
      case "reset":
        this.reset(frame.channel, frame.position);
        return;
      case "error":
        this.events.onError(frame);
        return;
      case "other":
        this.skip(frame.position);
        return;
      default:
        this.pass(frame);
    }
  }

  /** Step over a publication whose channel only its epoch tells. */
  private skip(position: Position): void {
    for (const channel of this.subscribed) {
      if (this.positions.get(channel)?.epoch === position.epoch) {
        this.positions.note(channel, position);
      }
    }
    this.watchHole();
  }

  private pass(publication: Publication): void {
    const channel = this.endpoint.channels.find(({ types }) => types.includes(publication.type));
    if (channel === undefined || !this.subscribed.has(channel.name)) return;
    if (publication.position !== null) {
      this.positions.note(channel.name, publication.position);
      this.watchHole();
    }
    this.events.onPublication(channel.name, publication);
  }

  private reset(channel: string | null, position: Position | null): void {
    for (const name of this.subscribed) {
      if (channel !== null && channel !== name) continue;
      if (position !== null) this.positions.set(name, position);
      this.events.onReset(name);
    }
    this.watchHole();
  }

  /** The server fills holes by itself; when it does not, coming back from the position does. */
  private watchHole(): void {
    if (!this.positions.hasHole()) {
      clearTimeout(this.holeTimer);
      this.holeTimer = undefined;
      return;
    }
    this.holeTimer ??= setTimeout(() => this.reconnect(), HOLE_TIMEOUT_MS);
  }

  private lose(socket: WebSocket): void {
    this.forget();
    socket.close();
    this.retryLater();
  }

  /** Let go of the socket; whatever it still reports is ignored. */
  private forget(): void {
    this.socket = null;
    for (const timer of [this.establishTimer, this.stableTimer, this.holeTimer])
      clearTimeout(timer);
    this.holeTimer = undefined;
  }

  private retryLater(): void {
    const delay = this.backoff.next();
    this.setStatus({ state: "offline", retryAt: Date.now() + delay });
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => this.connect(), delay);
  }

  private async retryUnlessRefused(): Promise<void> {
    this.setStatus({ state: "offline", retryAt: null });
    const access = await this.endpoint.checkAccess();
    // Closed, or reconnected by hand, while the answer was on its way.
    if (this.socket !== null || this.current.state !== "offline") return;
    if (access === "signed-out") this.refuse(SIGNED_OUT);
    else if (access === "no-access") this.refuse(NO_ACCESS);
    else this.retryLater();
  }

  private refuse(refusal: Refusal): void {
    clearTimeout(this.retryTimer);
    this.setStatus({ state: "refused", refusal });
  }

  private setStatus(status: Status): void {
    this.current = status;
    this.events.onStatus(status);
  }
}
