/** Who is typing, as a page tells it and hears of it. Pure: no document, no network. */

/** Nobody is told more often that somebody is typing. */
const TELL_MS = 3_000;
/** Somebody of whom nothing more is heard has stopped. */
const SHOWN_MS = 5_000;
/** More names than these are a number. */
const NAMED = 2;

/** When to tell that the reader is typing. */
export class TypingSignal {
  private toldAt = Number.NEGATIVE_INFINITY;

  /** The reader has typed. Returns whether to tell the others. */
  isDue(now: number): boolean {
    if (now - this.toldAt < TELL_MS) return false;
    this.toldAt = now;
    return true;
  }
}

/** Those of whom it was heard. */
export class Typists {
  private readonly until = new Map<string, number>();

  hear(username: string, now: number): void {
    this.until.set(username, now + SHOWN_MS);
  }

  /** Their message has come: that is what they typed. Returns whether they were shown. */
  settle(username: string): boolean {
    return this.until.delete(username);
  }

  clear(): void {
    this.until.clear();
  }

  /** Those who are typing now, in the order in which they began. */
  names(now: number): readonly string[] {
    for (const [username, until] of this.until) if (until <= now) this.until.delete(username);
    return [...this.until.keys()];
  }
}

export function typingWords(names: readonly string[]): string {
  const [first, second] = names;
  if (first === undefined) return "";
  if (second === undefined) return `${first} is typing…`;
  return names.length > NAMED
    ? `${names.length} people are typing…`
    : `${first} and ${second} are typing…`;
}
