import type { Position } from "./position";

/** One that is stored waits for its publication, which shows it in its place. */
export type PendingState = "queued" | "sent" | "stored" | "failed";

/** A message of this page's reader that is not among the room's messages yet. */
export interface Pending {
  readonly clientId: string;
  readonly text: string;
  /** When the reader sent it, for the time shown beside it. */
  readonly createdAt: number;
  state: PendingState;
  sentAt: number;
  /** Earliest time for the next attempt. */
  notBefore: number;
  /** Temporary errors so far. */
  errors: number;
  /** Why it failed, in words for the reader. */
  problem: string | null;
  /** Where its publication stands in the room's log. */
  storedAt: Position | null;
}

/** The server allows 20 messages a second; 20 unconfirmed ones keep a full pipe on a slow path. */
const PER_SECOND = 20;
const IN_FLIGHT = 20;
const MAX_ERRORS = 5;

/**
 * Messages on their way, in the order they were written.
 *
 * Each keeps its client id over every attempt, so the server stores it once. Nothing leaves the
 * list but by being among the room's messages, or by the reader's own hand.
 */
export class Unsent {
  private entries: Pending[] = [];
  /** When the latest messages were sent, for the pace. */
  private sendTimes: number[] = [];

  get pending(): readonly Pending[] {
    return this.entries;
  }

  add(text: string, clientId: string, now: number): Pending {
    const entry: Pending = {
      clientId,
      text,
      createdAt: now,
      state: "queued",
      sentAt: 0,
      notBefore: 0,
      errors: 0,
      problem: null,
      storedAt: null,
    };
    this.entries.push(entry);
    return entry;
  }

  /** Take what may be sent now; those entries count as sent. */
  take(now: number): Pending[] {
    this.sendTimes = this.sendTimes.filter((time) => now - time < 1_000);
    const inFlight = this.entries.filter((entry) => entry.state === "sent").length;
    const room = Math.min(PER_SECOND - this.sendTimes.length, IN_FLIGHT - inFlight);
    const taken: Pending[] = [];
    for (const entry of this.entries) {
      if (taken.length >= room) break;
      if (entry.state !== "queued") continue;
      // Later ones wait too, so that messages arrive in the order they were written.
      if (entry.notBefore > now) break;
      entry.state = "sent";
      entry.sentAt = now;
      this.sendTimes.push(now);
      taken.push(entry);
    }
    return taken;
  }

  /** The server has stored it, and says where. */
  confirm(clientId: string, position: Position): void {
    const entry = this.find(clientId);
    if (entry === undefined) return;
    entry.state = "stored";
    entry.storedAt = position;
  }

  /**
   * The page has all of the room's log up to a position: what is stored there is among the
   * messages, or was deleted. Returns whether anything changed.
   */
  passed({ epoch, offset }: Position): boolean {
    const before = this.entries.length;
    this.entries = this.entries.filter(
      ({ state, storedAt }) =>
        state !== "stored" || storedAt?.epoch !== epoch || storedAt.offset > offset,
    );
    return this.entries.length < before;
  }

  /**
   * What the page has is of this life of the log: what was stored in another may be lost with it,
   * and is sent again. Returns whether anything changed.
   */
  revive(epoch: string): boolean {
    const lost = this.entries.filter(
      ({ state, storedAt }) => state === "stored" && storedAt?.epoch !== epoch,
    );
    for (const entry of lost) entry.state = "queued";
    return lost.length > 0;
  }

  /** It is among the room's messages. Returns whether it was waited for. */
  acknowledge(clientId: string): boolean {
    const before = this.entries.length;
    this.entries = this.entries.filter((entry) => entry.clientId !== clientId);
    return this.entries.length < before;
  }

  /** Nobody knows whether it arrived: send it again. */
  requeue(clientId: string): void {
    const entry = this.find(clientId);
    if (entry?.state === "sent") entry.state = "queued";
  }

  /** The server asks to send again later; after too many times the reader decides. */
  postpone(clientId: string, delayMs: number, problem: string, now: number): void {
    const entry = this.find(clientId);
    if (entry === undefined) return;
    entry.errors += 1;
    if (entry.errors >= MAX_ERRORS) {
      this.fail(clientId, problem);
      return;
    }
    entry.state = "queued";
    entry.notBefore = now + delayMs;
  }

  fail(clientId: string, problem: string): void {
    const entry = this.find(clientId);
    if (entry === undefined) return;
    entry.state = "failed";
    entry.problem = problem;
  }

  failAll(problem: string): void {
    for (const { clientId, state } of this.entries) {
      if (state !== "stored") this.fail(clientId, problem);
    }
  }

  retry(clientId: string): void {
    const entry = this.find(clientId);
    if (entry?.state !== "failed") return;
    entry.state = "queued";
    entry.errors = 0;
    entry.notBefore = 0;
    entry.problem = null;
  }

  discard(clientId: string): void {
    this.acknowledge(clientId);
  }

  serialize(): string {
    return JSON.stringify(
      this.entries.map(({ clientId, text, createdAt, state, problem }) => ({
        clientId,
        text,
        createdAt,
        state,
        problem,
      })),
    );
  }

  /** Take over what an earlier load of the page left; text of any other shape is ignored. */
  restore(source: string): void {
    let stored: unknown;
    try {
      stored = JSON.parse(source);
    } catch {
      return;
    }
    if (!Array.isArray(stored)) return;
    for (const item of stored) {
      const { clientId, text, createdAt, state, problem } = (item ?? {}) as Partial<Pending>;
      if (typeof clientId !== "string" || typeof text !== "string") continue;
      const entry = this.add(text, clientId, typeof createdAt === "number" ? createdAt : 0);
      if (state === "failed") this.fail(entry.clientId, problem ?? "This message was not sent.");
    }
  }

  private find(clientId: string): Pending | undefined {
    return this.entries.find((entry) => entry.clientId === clientId);
  }
}
