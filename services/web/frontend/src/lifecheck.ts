import type { Position } from "./position";

/** How far the server is, per channel. */
export type Heads = ReadonlyMap<string, Position>;

/** A publication that HTTP knows of may still be on its way; a gateway polls every few seconds. */
const BEHIND_TIMEOUT_MS = 6_000;

/**
 * Finds out over HTTP whether a connection still delivers. Browsers do not show the server's pings
 * to a page: after sleep, or behind a router that forgot it, a dead connection looks alive.
 */
export class LifeCheck {
  private heardAt = 0;
  private asking = false;
  /** Answers to questions of an earlier round are about a connection that is gone. */
  private round = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly readHeads: () => Promise<Heads | null>,
    private readonly isBehind: (heads: Heads) => boolean,
    private readonly onDead: () => void,
  ) {}

  /** The connection has just said something. */
  heard(): void {
    this.heardAt = Date.now();
  }

  /** Ask, unless something was heard within this time or an answer is awaited. */
  async ask(quietMs: number): Promise<void> {
    if (this.asking || Date.now() - this.heardAt < quietMs) return;
    this.asking = true;
    const round = this.round;
    const heads = await this.readHeads().catch(() => "unanswered" as const);
    if (round !== this.round) return;
    this.asking = false;
    if (heads === "unanswered") {
      this.onDead();
      return;
    }
    this.heard();
    if (heads === null || !this.isBehind(heads)) return;
    this.asking = true;
    this.timer = setTimeout(() => {
      this.asking = false;
      if (this.isBehind(heads)) this.onDead();
    }, BEHIND_TIMEOUT_MS);
  }

  /** The connection is gone. */
  cancel(): void {
    clearTimeout(this.timer);
    this.asking = false;
    this.round += 1;
  }
}

/** The answer about the one channel of an endpoint. */
export function positionsOf(channel: string, position: Position | null): Heads | null {
  return position === null ? null : new Map([[channel, position]]);
}
