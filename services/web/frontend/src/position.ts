/** A place in a channel's stream; the server writes it `<epoch>.<offset>`. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** What a publication's position means to a reader who stands somewhere in the same stream. */
export type Step = "next" | "repeat" | "ahead" | "foreign";

export function formatPosition(position: Position): string {
  return `${position.epoch}.${position.offset}`;
}

/** Read a written position; null for whatever else stands in its place. */
export function parsePosition(text: unknown): Position | null {
  const match = typeof text === "string" ? /^([A-Za-z0-9-]+)\.(\d{1,15})$/.exec(text) : null;
  return match?.[1] === undefined ? null : { epoch: match[1], offset: Number(match[2]) };
}

/**
 * Where the reader stands in each channel.
 *
 * A position moves over contiguous offsets only. The acknowledgement of a message sent twice may
 * arrive before older publications do; if it moved the position, a connection lost right then
 * would never fetch them.
 */
export class PositionStore {
  private readonly current = new Map<string, Position>();
  /** Offsets seen beyond a hole, per channel. */
  private readonly beyond = new Map<string, Set<number>>();

  get(channel: string): Position | null {
    return this.current.get(channel) ?? null;
  }

  set(channel: string, position: Position): void {
    this.current.set(channel, position);
    this.beyond.delete(channel);
  }

  /** Whether publications between the position and the newest one seen are still missing. */
  hasHole(): boolean {
    return this.beyond.size > 0;
  }

  /** Whether the server is further, or elsewhere, in one of these channels. */
  isBehind(heads: ReadonlyMap<string, Position>): boolean {
    return [...heads].some(([channel, head]) => {
      const position = this.get(channel);
      if (position === null) return head.offset > 0;
      return position.epoch !== head.epoch || position.offset < head.offset;
    });
  }

  note(channel: string, position: Position): Step {
    const current = this.current.get(channel);
    if (current === undefined) {
      this.set(channel, position);
      return "next";
    }
    if (position.epoch !== current.epoch) return "foreign";
    if (position.offset <= current.offset) return "repeat";
    const beyond = this.beyond.get(channel) ?? new Set<number>();
    if (position.offset > current.offset + 1) {
      beyond.add(position.offset);
      this.beyond.set(channel, beyond);
      return "ahead";
    }
    let offset = position.offset;
    while (beyond.delete(offset + 1)) offset += 1;
    this.current.set(channel, { epoch: current.epoch, offset });
    if (beyond.size === 0) this.beyond.delete(channel);
    return "next";
  }
}
