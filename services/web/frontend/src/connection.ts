/**
 * What the page knows of a connection, so that a client library can take `EndpointConnection`'s
 * place.
 *
 * Guarantee: every publication of the subscribed channels reaches `onPublication` at least once
 * for as long as the page lives, or `onReset` says that the history must be read again. A
 * publication may come twice (catch-up beside live, or the answer to a resend); readers go by its
 * id. After a break the connection returns by itself until it is closed or refused for good; one
 * that died without a word is found by `wake` and `check`.
 */

import type { Refusal } from "./closecodes";
import type { Position } from "./position";
import type { ErrorFrame, Publication } from "./wire";

export type Status =
  | { readonly state: "connecting" }
  | { readonly state: "online" }
  | { readonly state: "offline"; readonly retryAt: number | null }
  | { readonly state: "refused"; readonly refusal: Refusal };

export interface ConnectionEvents {
  onPublication(channel: string, publication: Publication): void;
  /** The channel's position could not be recovered: read its history again. */
  onReset(channel: string): void;
  onStatus(status: Status): void;
  onError(error: ErrorFrame): void;
}

export interface Connection {
  readonly status: Status;
  /** Follow a channel from a position; null means from now on. Call before `connect`. */
  subscribe(channel: string, position: Position | null): void;
  position(channel: string): Position | null;
  connect(): void;
  /** Close for good. */
  close(): void;
  /** Drop a connection that seems dead and come back. */
  reconnect(): void;
  /** The network or the reader is back: what waits goes at once, and what is online is checked. */
  wake(): void;
  /** Find out whether an online connection lives, unless it said something within this time. */
  check(quietMs: number): Promise<void>;
  /** Send a message; false when the connection is not online, and nothing was sent. */
  publish(text: string, clientId: string): boolean;
}
