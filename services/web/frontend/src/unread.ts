import type { Position } from "./position";

const MOST_SHOWN = 99;

/**
 * How many notifications the reader has not read: the server's number, which the page never counts
 * on by itself. It comes with a place in the reader's channel; an older place says nothing new.
 */
export class UnreadCount {
  constructor(
    private count: number,
    private position: Position | null,
  ) {}

  get value(): number {
    return this.count;
  }

  /** Take over a number unless a later one is known. Returns whether it was taken. */
  take(count: number | null, position: Position | null): boolean {
    if (count === null) return false;
    const isOlder =
      position !== null &&
      position.epoch === this.position?.epoch &&
      position.offset < this.position.offset;
    if (isOlder) return false;
    this.count = count;
    this.position = position ?? this.position;
    return true;
  }
}

/** The number as the badge and the title show it; empty when there is nothing to show. */
export function badge(count: number): string {
  if (count <= 0) return "";
  return count > MOST_SHOWN ? `${MOST_SHOWN}+` : String(count);
}

/** What a screen reader says of the bell. */
export function bellLabel(count: number): string {
  if (count <= 0) return "Inbox, nothing unread";
  return `Inbox, ${count} unread ${count === 1 ? "notification" : "notifications"}`;
}

/** A page's own title with the number before it. */
export function titled(title: string, count: number): string {
  return count > 0 ? `(${badge(count)}) ${title}` : title;
}
