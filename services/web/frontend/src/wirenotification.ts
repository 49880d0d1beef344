import { isFields, isId, text } from "./wirefields";

/** A notification as frames and the HTTP inbox both carry it. */
export interface WireNotification {
  readonly id: number;
  readonly title: string;
  readonly body: string;
  /** A path of this site, a full address, or nothing. */
  readonly url: string;
  readonly kind: string;
  readonly category: string;
  readonly timestamp: string;
}

export type NotificationState = "read" | "unread" | "archived" | "unarchived" | "seen";

/** What became of some notifications, on whatever page or device. */
export interface Change {
  readonly state: NotificationState;
  readonly ids: readonly number[] | "all";
}

/** Read one notification of a frame or of the inbox; null when it is not one. */
export function readNotification(value: unknown): WireNotification | null {
  if (!isFields(value) || !isId(value.id) || typeof value.title !== "string") return null;
  return {
    id: value.id,
    title: value.title,
    body: text(value.body),
    url: text(value.url),
    kind: text(value.kind),
    category: text(value.category),
    timestamp: text(value.timestamp),
  };
}

const STATES: readonly unknown[] = ["read", "unread", "archived", "unarchived", "seen"];

/** Read what became of notifications; null when it is none of what is known. */
export function readChange(value: unknown): Change | null {
  if (!isFields(value) || !STATES.includes(value.state)) return null;
  const state = value.state as NotificationState;
  if (value.ids === "all") return { state, ids: "all" };
  return Array.isArray(value.ids) ? { state, ids: value.ids.filter(isId) } : null;
}
