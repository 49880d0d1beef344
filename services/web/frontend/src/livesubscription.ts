import type { Centrifuge, ClientInfo, Subscription as Sub, SubscribedContext } from "centrifuge";
import { type Refusal, refusalFor } from "./closecodes";
import {
  type ChannelEvents,
  CommandError,
  type Person,
  type Size,
  type Status,
  type Subscription,
} from "./connection";
import type { Position } from "./position";
import type { Subscribed } from "./standing";
import { type Published, readPublication } from "./wire";
import { isFields } from "./wirefields";

/** A channel that the page has asked to hear. */
export class LiveSubscription implements Subscription {
  private readonly sub: Sub;
  private current: Status = { state: "connecting" };
  private ended = false;

  constructor(
    private readonly client: Centrifuge,
    channel: string,
    private place: Position | null,
    private readonly events: ChannelEvents,
    private readonly onEnd: () => void,
  ) {
    this.sub = client.newSubscription(channel, {
      ...(place === null ? {} : { since: { ...place } }),
      joinLeave: events.onPerson !== undefined,
    });
    this.sub.on("subscribing", () => {
      this.setStatus({ state: this.current.state === "connecting" ? "connecting" : "offline" });
    });
    this.sub.on("subscribed", (context) => this.onSubscribed(subscribed(context)));
    this.sub.on("publication", (context) => this.onPublished(context));
    this.sub.on("unsubscribed", ({ code }) => {
      if (!this.ended) this.refuse(refusalFor(code));
    });
    if (events.onPerson !== undefined) {
      this.sub.on("join", ({ info }) => events.onPerson?.(personOf(info), true));
      this.sub.on("leave", ({ info }) => events.onPerson?.(personOf(info), false));
    }
    this.sub.subscribe();
  }

  get position(): Position | null {
    return this.place;
  }

  async publish(data: object): Promise<void> {
    await answerTo(this.sub.publish(data));
  }

  async size(): Promise<Size> {
    const { numClients, numUsers } = await answerTo(this.sub.presenceStats());
    return { clients: numClients, users: numUsers };
  }

  async people(): Promise<readonly Person[]> {
    const { clients } = await answerTo(this.sub.presence());
    return Object.values(clients).map(personOf);
  }

  end(): void {
    this.ended = true;
    this.sub.unsubscribe();
    this.client.removeSubscription(this.sub);
    this.onEnd();
  }

  refuse(refusal: Refusal): void {
    if (!this.ended) this.setStatus({ state: "refused", refusal });
  }

  private onSubscribed({ position, wasRecovering, recovered }: Subscribed): void {
    const isNew = this.place === null;
    // What was recovered follows, and moves the place by itself.
    if (position !== null && !recovered) this.place = position;
    this.setStatus({ state: "online" });
    // Without a place, something may have been there before; nothing tells what of it is known.
    const isBegun = isNew && position !== null && position.offset > 0;
    if ((wasRecovering && !recovered) || isBegun) this.events.onReset(position);
  }

  private onPublished({ data, offset }: Published): void {
    const epoch = this.place?.epoch;
    const position = offset === undefined || epoch === undefined ? null : { epoch, offset };
    if (position !== null) this.place = position;
    const publication = readPublication(data, position);
    if (publication !== null) this.events.onPublication(publication);
  }

  private setStatus(status: Status): void {
    this.current = status;
    this.events.onStatus?.(status);
  }
}

/** What the library tells of a subscription, in our words. */
export function subscribed({
  streamPosition,
  wasRecovering,
  recovered,
}: Pick<SubscribedContext, "streamPosition" | "wasRecovering" | "recovered">): Subscribed {
  const position = streamPosition ?? null;
  return { position, wasRecovering, recovered };
}

function personOf({ user, connInfo }: ClientInfo): Person {
  const username = isFields(connInfo) ? connInfo.username : null;
  return { user, username: typeof username === "string" ? username : null };
}

/** Wait for the library, whose errors are plain objects. */
export async function answerTo<T>(command: Promise<T>): Promise<T> {
  try {
    return await command;
  } catch (error) {
    const { code, message, temporary } = error as { [name: string]: unknown };
    throw new CommandError(
      typeof code === "number" ? code : 0,
      typeof message === "string" ? message : "",
      temporary === true,
    );
  }
}
