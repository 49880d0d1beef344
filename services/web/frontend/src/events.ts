/**
 * What a page's own script hears from `site.ts`, which holds the page's one connection for its
 * reader: events on `document`. A publication may come twice; listeners go by ids and positions.
 */

import type { NotificationFrame, UnreadFrame } from "./wire";
import type { JobFrame } from "./wirejob";

export interface SiteEvents {
  /** Whoever has put it on the page prevents the default, which is to show it in a corner. */
  "carillon:notification": CustomEvent<NotificationFrame>;
  "carillon:unread": CustomEvent<Omit<UnreadFrame, "type">>;
  "carillon:job": CustomEvent<JobFrame>;
  /** What was missed cannot be told one by one: read again what the page shows. */
  "carillon:reset": CustomEvent<{ readonly channel: string }>;
}

declare global {
  interface DocumentEventMap extends SiteEvents {}
}

/** Tell the page's scripts. Returns whether none of them prevented the default. */
export function tell<K extends keyof SiteEvents>(
  name: K,
  detail: SiteEvents[K]["detail"],
): boolean {
  return document.dispatchEvent(new CustomEvent(name, { detail, cancelable: true }));
}
