/**
 * What the page knows of its one connection; `live.ts` makes it of npm's `centrifuge`.
 *
 * Guarantee: every publication of a subscribed channel, from the position on that the page was
 * made at, reaches `onPublication` once and in order for as long as the page lives, or `onReset`
 * says that what the page shows must be read again. After a break the connection returns by itself
 * until it is refused for good.
 */

import type { Refusal } from "./closecodes";
import type { Position } from "./position";
import type { Publication } from "./wire";

export type Status =
  | { readonly state: "connecting" }
  | { readonly state: "online" }
  | { readonly state: "offline" }
  | { readonly state: "refused"; readonly refusal: Refusal };

/** Somebody in a channel; a user with two tabs is one. */
export interface Person {
  readonly user: string;
  /** Null where the server tells no name. */
  readonly username: string | null;
}

export interface Size {
  readonly clients: number;
  readonly users: number;
}

export interface ChannelEvents {
  onPublication(publication: Publication): void;
  /** What was missed cannot be told: from this position on all comes, what is before must be read. */
  onReset(position: Position | null): void;
  /** How the subscription stands: not online before the channel is heard. */
  onStatus?(status: Status): void;
  /** Where this is listened to, it is told who comes and goes. */
  onPerson?(person: Person, isHere: boolean): void;
}

export interface Subscription {
  /** Behind what was handed over last; null where nothing is kept of the channel. */
  readonly position: Position | null;
  /** Say something there; rejected with `CommandError`. */
  publish(data: object): Promise<void>;
  /** How many are there. */
  size(): Promise<Size>;
  people(): Promise<readonly Person[]>;
  /** Hear the channel no longer. */
  end(): void;
}

export interface Connection {
  readonly status: Status;
  /** Follow a channel from a position; null means from now on. */
  subscribe(channel: string, position: Position | null, events: ChannelEvents): Subscription;
  /** Call a method of the server's; rejected with `CommandError`. */
  call(method: string, data: object): Promise<unknown>;
  /** Drop a connection that seems dead and come back at once. */
  restart(): void;
}

/** The library's own codes are below: the server may or may not have heard the command. */
const FIRST_OF_SERVER = 100;

/** Why a command has no result. */
export class CommandError extends Error {
  override readonly name = "CommandError";

  constructor(
    readonly code: number,
    message: string,
    private readonly temporary = false,
  ) {
    super(message);
  }

  /**
   * Whether an error is one of these. The connection's errors are of another script, and each
   * script of a page has a class of its own: `instanceof` does not know the other's.
   */
  static is(error: unknown): error is CommandError {
    return error instanceof Error && error.name === "CommandError";
  }

  /** Whether it is unknown what became of the command. */
  get isLost(): boolean {
    return this.code < FIRST_OF_SERVER;
  }

  /** Whether the server asks to try again later. */
  get isTemporary(): boolean {
    return this.temporary;
  }
}
