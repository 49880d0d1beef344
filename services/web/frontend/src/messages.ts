import type { WireMessage } from "./wiremessage";

/**
 * The messages of one room that the page knows, ordered by id and each there once, whichever way
 * and however often it came: page load, history, live frame or catch-up.
 */
export class MessageList {
  private sorted: WireMessage[] = [];
  private readonly known = new Map<number, WireMessage>();
  /** Deletions outlive what they delete: a history answer that was under way may still hold it. */
  private readonly deleted = new Set<number>();
  /** Ids whose content dates from before a reset, until the history has been read again. */
  private stale: Set<number> | null = null;

  get all(): readonly WireMessage[] {
    return this.sorted;
  }

  get oldestId(): number | null {
    return this.sorted[0]?.id ?? null;
  }

  get newestId(): number | null {
    return this.sorted.at(-1)?.id ?? null;
  }

  has(id: number): boolean {
    return this.known.has(id);
  }

  add(messages: Iterable<WireMessage>): void {
    let appended = true;
    for (const message of messages) {
      const old = this.known.get(message.id);
      if (old !== undefined && !this.stale?.has(message.id)) {
        // Content never changes except by deletion, which the history may know before a frame.
        if (message.deleted && !old.deleted) this.remove(message.id);
        continue;
      }
      this.stale?.delete(message.id);
      const entry = this.deleted.has(message.id) ? redact(message) : message;
      if (old !== undefined) {
        this.sorted[this.sorted.indexOf(old)] = entry;
      } else {
        appended &&= entry.id > (this.newestId ?? 0);
        this.sorted.push(entry);
      }
      this.known.set(entry.id, entry);
    }
    if (!appended) this.sorted.sort((a, b) => a.id - b.id);
  }

  /** Redact a message. Returns whether the page knew it. */
  remove(id: number): boolean {
    this.deleted.add(id);
    const old = this.known.get(id);
    if (old === undefined) return false;
    const entry = redact(old);
    this.known.set(id, entry);
    this.sorted[this.sorted.indexOf(old)] = entry;
    return true;
  }

  /** What is known may no longer be so: newer frames and the next history overrule it. */
  expire(): void {
    this.stale = new Set(this.known.keys());
    this.deleted.clear();
  }

  /** Take over a history read after `expire` and drop what it did not confirm. */
  renew(history: Iterable<WireMessage>): void {
    this.add(history);
    const stale = this.stale;
    this.stale = null;
    if (stale === null || stale.size === 0) return;
    for (const id of stale) this.known.delete(id);
    this.sorted = this.sorted.filter((message) => !stale.has(message.id));
  }

  /** Forget the oldest messages beyond a number. Returns whether any were forgotten. */
  trim(limit: number): boolean {
    if (this.sorted.length <= limit) return false;
    for (const message of this.sorted.splice(0, this.sorted.length - limit)) {
      this.known.delete(message.id);
    }
    return true;
  }
}

function redact(message: WireMessage): WireMessage {
  return { ...message, message: "", deleted: true };
}
