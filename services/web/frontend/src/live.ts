/** The page's connection: this module and `livesubscription.ts` alone know npm's `centrifuge`. */

import { Centrifuge, State } from "centrifuge";
import { Backoff } from "./backoff";
import { NOBODY, type Refusal, refusalFor, SIGNED_OUT } from "./closecodes";
import {
  type ChannelEvents,
  CommandError,
  type Connection,
  type Status,
  type Subscription,
} from "./connection";
import { answerTo, LiveSubscription, subscribed } from "./livesubscription";
import type { Position } from "./position";
import { StandingChannel } from "./standing";
import type { Published } from "./wire";

/** A command without an answer for so long makes the connection doubtful. */
const ANSWER_TIMEOUT_MS = 10_000;
const LONGEST_PAUSE_MS = 30_000;

/** The library's code for what `disconnect` has ended. */
const BY_PAGE = 0;

export interface LiveOptions {
  /** Asked when the server does not know who this is: null when nobody can tell just now. */
  readonly isSignedIn: () => Promise<boolean | null>;
  readonly onStatus: (status: Status) => void;
  readonly openWebSocket?: unknown;
  readonly backoff?: Backoff;
}

export class LiveConnection implements Connection {
  private readonly client: Centrifuge;
  /** Tells the library what the page learns of its network, beside what the browser says. */
  private readonly network = new EventTarget();
  private readonly standing = new Map<string, StandingChannel>();
  /** What the server has this connection hear now. */
  private readonly heard = new Set<string>();
  private readonly subscriptions = new Set<LiveSubscription>();
  private readonly backoff: Backoff;
  private current: Status = { state: "connecting" };

  constructor(
    url: string,
    private readonly options: LiveOptions,
  ) {
    this.backoff = options.backoff ?? new Backoff();
    this.client = new Centrifuge(url, {
      timeout: ANSWER_TIMEOUT_MS,
      maxReconnectDelay: LONGEST_PAUSE_MS,
      networkEventTarget: this.network,
      websocket: options.openWebSocket ?? null,
    });
    this.client.on("connecting", ({ code }) => {
      this.setStatus({ state: code === 0 ? "connecting" : "offline" });
    });
    this.client.on("connected", () => {
      this.backoff.reset();
      this.heard.clear();
      this.setStatus({ state: "online" });
      // What the server has it hear is told right after this.
      queueMicrotask(() => this.checkStanding());
    });
    this.client.on("disconnected", ({ code }) => this.onDisconnected(code));
    this.client.on("unsubscribed", ({ channel }) => {
      this.heard.delete(channel);
      this.checkStanding();
    });
    this.client.on("subscribed", (context) => {
      this.heard.add(context.channel);
      this.standing.get(context.channel)?.onSubscribed(subscribed(context));
    });
    this.client.on("publication", (context) => {
      this.standing.get(context.channel)?.onPublished(context);
    });
  }

  get status(): Status {
    return this.current;
  }

  /** Follow a channel that the server has every connection of this reader hear. */
  follow(channel: string, position: Position | null, events: ChannelEvents): void {
    const readSince = async (since: Position, limit: number): Promise<readonly Published[]> =>
      (await this.client.history(channel, { since: { ...since }, limit })).publications;
    this.standing.set(channel, new StandingChannel(position, events, readSince));
  }

  subscribe(channel: string, position: Position | null, events: ChannelEvents): Subscription {
    const subscription = new LiveSubscription(this.client, channel, position, events, () =>
      this.subscriptions.delete(subscription),
    );
    this.subscriptions.add(subscription);
    if (this.current.state === "refused") subscription.refuse(this.current.refusal);
    return subscription;
  }

  connect(): void {
    if (this.current.state !== "refused") this.client.connect();
  }

  async call(method: string, data: object): Promise<unknown> {
    return (await answerTo(this.client.rpc(method, data))).data;
  }

  restart(): void {
    this.network.dispatchEvent(new Event("offline"));
    this.network.dispatchEvent(new Event("online"));
  }

  /** The network is gone: whoever waits for an answer need not. */
  pause(): void {
    this.network.dispatchEvent(new Event("offline"));
  }

  /** The network or the reader is back: what waits goes at once, and what is online is checked. */
  async wake(): Promise<void> {
    if (this.current.state !== "online") {
      this.network.dispatchEvent(new Event("online"));
      return;
    }
    const [channel] = this.standing.keys();
    if (channel === undefined) return;
    try {
      // The least that the server answers: after sleep a dead connection looks alive.
      await answerTo(this.client.history(channel, { limit: 0 }));
    } catch (error) {
      if (CommandError.is(error) && error.isLost && this.current.state === "online") {
        this.restart();
      }
    }
  }

  /**
   * Where the server lets nobody in, too, a session that is over is refused in silence: the reader's
   * own channels are not heard.
   */
  private checkStanding(): void {
    if (this.client.state !== State.Connected) return;
    if ([...this.standing.keys()].some((channel) => !this.heard.has(channel))) {
      this.client.disconnect();
    }
  }

  private onDisconnected(code: number): void {
    if (code === NOBODY || code === BY_PAGE) void this.askWho();
    else this.refuse(refusalFor(code));
  }

  /** A session that is over and a mistake of this page's are told apart: only one forgets drafts. */
  private async askWho(): Promise<void> {
    this.setStatus({ state: "offline" });
    const isSignedIn = await this.options.isSignedIn();
    if (isSignedIn === false) this.refuse(SIGNED_OUT);
    else if (isSignedIn) this.refuse(refusalFor(NOBODY));
    else setTimeout(() => this.client.connect(), this.backoff.next());
  }

  private refuse(refusal: Refusal): void {
    this.setStatus({ state: "refused", refusal });
    for (const subscription of this.subscriptions) subscription.refuse(refusal);
  }

  private setStatus(status: Status): void {
    this.current = status;
    this.options.onStatus(status);
  }
}
