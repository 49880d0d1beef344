/** The one module that owns a WebSocket: a connection over a plain endpoint. */

import { Backoff } from "./backoff";
import { isTerminal, NO_ACCESS, type Refusal, refusalFor, SIGNED_OUT } from "./closecodes";
import type { Connection, ConnectionEvents, Status } from "./connection";
import type { Endpoint } from "./endpoint";
import { LifeCheck } from "./lifecheck";
import { formatPosition, type Position, PositionStore } from "./position";
import { type Frame, type Publication, readFrame } from "./wire";

export interface ConnectionOptions {
  readonly backoff?: Backoff;
  readonly openWebSocket?: (url: string) => WebSocket;
}

const ESTABLISH_TIMEOUT_MS = 10_000;
const STABLE_AFTER_MS = 10_000;
const HOLE_TIMEOUT_MS = 8_000;
/** Younger attempts are left alone: networks report one change as several events. */
const FRESH_ATTEMPT_MS = 2_000;
const WEBSOCKET_OPEN = 1;

type Timer = ReturnType<typeof setTimeout>;

export class EndpointConnection implements Connection {
  private readonly backoff: Backoff;
  private readonly openWebSocket: (url: string) => WebSocket;
  private readonly positions = new PositionStore();
  private readonly subscribed = new Set<string>();
  private webSocket: WebSocket | null = null;
  private current: Status = { state: "offline", retryAt: null };
  private retryTimer: Timer | undefined;
  private establishTimer: Timer | undefined;
  private stableTimer: Timer | undefined;
  private holeTimer: Timer | undefined;
  private attemptedAt = 0;
  private closed = false;
  private readonly lifeCheck: LifeCheck;

  constructor(
    private readonly endpoint: Endpoint,
    private readonly events: ConnectionEvents,
    options: ConnectionOptions = {},
  ) {
    this.backoff = options.backoff ?? new Backoff();
    this.openWebSocket = options.openWebSocket ?? ((url) => new WebSocket(url));
    this.lifeCheck = new LifeCheck(
      () => endpoint.readPositions(),
      (heads) => this.positions.isBehind(heads),
      () => this.webSocket !== null && this.lose(this.webSocket),
    );
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
    if (this.webSocket !== null || this.current.state === "refused") return;
    this.closed = false;
    clearTimeout(this.retryTimer);
    this.setStatus({ state: "connecting" });
    const webSocket = this.openWebSocket(this.address());
    this.webSocket = webSocket;
    this.attemptedAt = Date.now();
    let opened = false;
    this.establishTimer = setTimeout(() => this.lose(webSocket), ESTABLISH_TIMEOUT_MS);
    webSocket.onopen = () => {
      opened = true;
    };
    webSocket.onmessage = (event: MessageEvent) => {
      if (this.webSocket !== webSocket || typeof event.data !== "string") return;
      this.lifeCheck.heard();
      const frame = readFrame(event.data);
      if (frame !== null) this.receive(frame);
    };
    webSocket.onclose = (event: CloseEvent) => {
      if (this.webSocket !== webSocket) return;
      this.forget();
      if (isTerminal(event.code)) this.refuse(refusalFor(event.code));
      else if (opened) this.retryLater();
      else void this.retryUnlessRefused();
    };
  }

  close(): void {
    this.closed = true;
    const webSocket = this.webSocket;
    this.forget();
    clearTimeout(this.retryTimer);
    if (this.current.state !== "refused") this.setStatus({ state: "offline", retryAt: null });
    webSocket?.close(1000);
  }

  reconnect(): void {
    if (this.closed || this.current.state === "refused") return;
    if (this.webSocket !== null) {
      this.lose(this.webSocket);
      return;
    }
    // Between two attempts: whoever calls knows that now is a better time than the timer's.
    this.connect();
  }

  wake(): void {
    if (this.closed || this.current.state === "refused") return;
    this.backoff.reset();
    if (this.current.state === "online") {
      void this.check(0);
      return;
    }
    if (this.webSocket !== null) {
      if (Date.now() - this.attemptedAt < FRESH_ATTEMPT_MS) return;
      // Begun on the path that is no more.
      this.drop(this.webSocket);
    }
    this.connect();
  }

  async check(quietMs: number): Promise<void> {
    if (this.current.state === "online") await this.lifeCheck.ask(quietMs);
  }

  publish(text: string, clientId: string): boolean {
    if (this.current.state !== "online" || this.webSocket?.readyState !== WEBSOCKET_OPEN)
      return false;
    this.webSocket.send(JSON.stringify({ message: text, client_id: clientId }));
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
        this.stableTimer = setTimeout(() => this.backoff.reset(), STABLE_AFTER_MS);
        this.greet(frame.positions);
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

  private greet(positions: ReadonlyMap<string, Position>): void {
    // A channel that has a position keeps it: what lies between is about to be sent.
    const begun = [...positions].filter(([channel]) => this.positions.get(channel) === null);
    for (const [channel, position] of begun) this.positions.set(channel, position);
    this.setStatus({ state: "online" });
    for (const [channel, { offset }] of begun) {
      // Nothing was there when the page was made: what has come since cannot be asked for.
      if (offset > 0 && this.subscribed.has(channel)) this.events.onReset(channel);
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

  private lose(webSocket: WebSocket): void {
    this.drop(webSocket);
    this.retryLater();
  }

  private drop(webSocket: WebSocket): void {
    this.forget();
    webSocket.close();
  }

  /** Let go of the WebSocket; whatever it still reports is ignored. */
  private forget(): void {
    this.webSocket = null;
    for (const timer of [this.establishTimer, this.stableTimer, this.holeTimer])
      clearTimeout(timer);
    this.holeTimer = undefined;
    this.lifeCheck.cancel();
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
    if (this.webSocket !== null || this.current.state !== "offline") return;
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
