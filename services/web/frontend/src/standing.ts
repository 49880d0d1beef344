import type { ChannelEvents } from "./connection";
import type { Position } from "./position";
import { type Published, readPublication } from "./wire";

/** The server gives no more of a channel's log at once. */
const MOST = 300;

/** What the library tells of a subscription that begins or goes on. */
export interface Subscribed {
  readonly position: Position | null;
  readonly wasRecovering: boolean;
  readonly recovered: boolean;
}

/**
 * A channel that the server has every connection hear, followed from where the page was made.
 *
 * The library recovers such a channel after a break; but it first hears it from the moment of the
 * connect reply on. What came between the page and that moment is read from the channel's log, and
 * what comes meanwhile waits.
 */
export class StandingChannel {
  private held: Published[] | null = null;
  /** A later beginning makes an answer under way worthless. */
  private round = 0;

  constructor(
    private current: Position | null,
    private readonly events: ChannelEvents,
    private readonly readSince: (since: Position, limit: number) => Promise<readonly Published[]>,
  ) {}

  get position(): Position | null {
    return this.current;
  }

  onSubscribed({ position: head, wasRecovering, recovered }: Subscribed): void {
    if (head === null || (wasRecovering && recovered)) return;
    const from = this.current;
    const missed = from?.epoch === head.epoch && !wasRecovering ? head.offset - from.offset : -1;
    if (from === null && head.offset === 0) this.current = head;
    else if (from === null || missed < 0 || missed > MOST) this.reset(head);
    else if (missed > 0) void this.catchUp(from, head, missed);
  }

  onPublished(published: Published): void {
    if (this.held !== null) this.held.push(published);
    else this.pass(published);
  }

  private async catchUp(from: Position, head: Position, missed: number): Promise<void> {
    this.round += 1;
    const round = this.round;
    this.held = [];
    let read: readonly Published[] = [];
    try {
      read = await this.readSince(from, missed);
    } catch {
      // As if nothing were left of it.
    }
    if (round !== this.round) return;
    const held = this.held ?? [];
    const isWhole =
      read.length === missed && read.every(({ offset }, at) => offset === from.offset + at + 1);
    if (isWhole) {
      this.held = null;
      for (const published of [...read, ...held]) this.pass(published);
    } else {
      this.reset(head);
      for (const published of held) this.pass(published);
    }
  }

  private reset(head: Position): void {
    this.round += 1;
    this.held = null;
    this.current = head;
    this.events.onReset(head);
  }

  private pass({ data, offset }: Published): void {
    const epoch = this.current?.epoch;
    const position = offset === undefined || epoch === undefined ? null : { epoch, offset };
    if (position !== null) this.current = position;
    const publication = readPublication(data, position);
    if (publication !== null) this.events.onPublication(publication);
  }
}
