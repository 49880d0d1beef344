/**
 * What a page's own script hears from `site.ts`, which holds the page's one connection for its
 * reader: events on `document`. What came while the page was made may be on it already: listeners go
 * by ids and positions.
 */

import type { Connection } from "./connection";
import type { NotificationFrame, UnreadFrame } from "./wire";
import type { JobFrame } from "./wirejob";

export interface SiteEvents {
  /** The first of all: the connection, for a script that follows channels of its own. */
  "carillon:connection": CustomEvent<Connection>;
  /** Whoever has put it on the page prevents the default, which is to show it in a corner. */
  "carillon:notification": CustomEvent<NotificationFrame>;
  "carillon:unread": CustomEvent<Omit<UnreadFrame, "type">>;
  "carillon:job": CustomEvent<JobFrame>;
  /** What the reader missed cannot be told one by one: read again what the page shows of it. */
  "carillon:reset": CustomEvent<null>;
}

declare global {
  interface DocumentEventMap extends SiteEvents {}
}

/** Do something with the page's connection, once there is one. */
export function whenConnecting(use: (connection: Connection) => void): void {
  document.addEventListener("carillon:connection", ({ detail }) => use(detail), { once: true });
}

/** Tell the page's scripts. Returns whether none of them prevented the default. */
export function tell<K extends keyof SiteEvents>(
  name: K,
  detail: SiteEvents[K]["detail"],
): boolean {
  return document.dispatchEvent(new CustomEvent(name, { detail, cancelable: true }));
}
