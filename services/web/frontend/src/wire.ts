import type { Position } from "./position";

/** A message as the chat frames and the HTTP history both carry it. */
export interface WireMessage {
  readonly id: number;
  readonly username: string;
  readonly message: string;
  readonly timestamp: string;
  readonly system: boolean;
  readonly deleted: boolean;
  readonly clientId: string | null;
}

export interface Established {
  readonly type: "connection_established";
  readonly positions: ReadonlyMap<string, Position>;
}

export interface ChatFrame {
  readonly type: "chat";
  readonly message: WireMessage;
  readonly position: Position | null;
}

export interface DeletedFrame {
  readonly type: "deleted";
  readonly id: number;
  readonly position: Position | null;
}

export interface AnnouncementFrame {
  readonly type: "announcement";
  readonly id: number;
  readonly message: string;
  readonly timestamp: string;
  /** Until when it is shown; null for as long as the server tells it. */
  readonly expiresAt: string | null;
  readonly position: Position | null;
}

/** The reader has dismissed an announcement, on whatever device. */
export interface SeenAnnouncementFrame {
  readonly type: "seen_announcement";
  readonly id: number;
  readonly position: Position | null;
}

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

export interface NotificationFrame {
  readonly type: "notification";
  readonly notification: WireNotification;
  /** The server's count after it. */
  readonly unread: number | null;
  readonly position: Position | null;
}

export type NotificationState = "read" | "unread" | "archived" | "unarchived" | "seen";

/** What became of some notifications, on whatever page or device. */
export interface Change {
  readonly state: NotificationState;
  readonly ids: readonly number[] | "all";
}

export interface UnreadFrame {
  readonly type: "unread";
  readonly unread: number;
  readonly change: Change | null;
  readonly position: Position | null;
}

/** What somebody said below a post. */
export interface WireComment {
  readonly id: number;
  readonly username: string;
  readonly body: string;
  readonly timestamp: string;
}

export interface CommentFrame {
  readonly type: "comment";
  readonly comment: WireComment;
  readonly position: Position | null;
}

export interface CommentDeletedFrame {
  readonly type: "comment_deleted";
  readonly id: number;
  readonly position: Position | null;
}

export interface PostDeletedFrame {
  readonly type: "post_deleted";
  readonly position: Position | null;
}

/** How a bulk job stands. */
export interface JobFrame {
  readonly type: "job";
  readonly id: number;
  readonly state: string;
  readonly kind: string;
  readonly total: number;
  readonly done: number;
  readonly delivered: number;
  readonly muted: number;
  readonly gone: number;
  readonly failed: number;
  readonly percent: number;
  /** Recipients per second. */
  readonly rate: number | null;
  readonly etaSeconds: number | null;
  readonly position: Position | null;
}

export interface ResetFrame {
  readonly type: "reset";
  /** Absent when everything that this connection carries must be read again. */
  readonly channel: string | null;
  readonly position: Position | null;
}

export interface ErrorFrame {
  readonly type: "error";
  readonly code: number;
  readonly message: string;
  readonly clientId: string | null;
  readonly retryAfterMs: number | null;
}

/** A publication that this page has no use for, such as one whose row is gone: it has a place. */
export interface OtherFrame {
  readonly type: "other";
  readonly position: Position;
}

export type Publication =
  | ChatFrame
  | DeletedFrame
  | AnnouncementFrame
  | SeenAnnouncementFrame
  | NotificationFrame
  | UnreadFrame
  | CommentFrame
  | CommentDeletedFrame
  | PostDeletedFrame
  | JobFrame;
export type Frame = Established | Publication | OtherFrame | ResetFrame | ErrorFrame;

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null);
const numberOrNull = (value: unknown): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null;
const isId = (value: unknown): value is number => Number.isSafeInteger(value);

/** Read a number of things; null for what cannot be one. */
export function readCount(value: unknown): number | null {
  return isId(value) && value >= 0 ? value : null;
}

function readPosition(value: unknown): Position | null {
  if (!isFields(value)) return null;
  const { epoch, offset } = value;
  if (typeof epoch !== "string" || typeof offset !== "number") return null;
  return Number.isSafeInteger(offset) && offset >= 0 ? { epoch, offset } : null;
}

/** Read one message of a frame or of the history; null when it is not one. */
export function readMessage(value: unknown): WireMessage | null {
  if (!isFields(value) || typeof value.id !== "number") return null;
  const deleted = value.deleted === true;
  if (!deleted && typeof value.message !== "string") return null;
  return {
    id: value.id,
    username: text(value.username),
    message: text(value.message),
    timestamp: text(value.timestamp),
    system: value.system === true,
    deleted,
    clientId: textOrNull(value.client_id),
  };
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

function readChange(value: unknown): Change | null {
  if (!isFields(value) || !STATES.includes(value.state)) return null;
  const state = value.state as NotificationState;
  if (value.ids === "all") return { state, ids: "all" };
  return Array.isArray(value.ids) ? { state, ids: value.ids.filter(isId) } : null;
}

/** Read how a bulk job stands, from a frame or from the page; null when it is not one. */
export function readJob(value: unknown): JobFrame | null {
  if (!isFields(value) || !isId(value.id) || typeof value.state !== "string") return null;
  return {
    type: "job",
    id: value.id,
    state: value.state,
    kind: text(value.kind),
    total: readCount(value.total) ?? 0,
    done: readCount(value.done) ?? 0,
    delivered: readCount(value.delivered) ?? 0,
    muted: readCount(value.muted) ?? 0,
    gone: readCount(value.gone) ?? 0,
    failed: readCount(value.failed) ?? 0,
    percent: numberOrNull(value.percent) ?? 0,
    rate: numberOrNull(value.rate),
    etaSeconds: numberOrNull(value.eta_seconds),
    position: readPosition(value),
  };
}

function readFields(source: string): Fields | null {
  try {
    const value: unknown = JSON.parse(source);
    return isFields(value) ? value : null;
  } catch {
    return null;
  }
}

/** Read one frame of the server; null for what says nothing to this page. */
export function readFrame(source: string): Frame | null {
  const value = readFields(source);
  if (value === null) return null;
  const position = readPosition(value);
  switch (value.type) {
    case "connection_established": {
      const positions = new Map<string, Position>();
      for (const [channel, raw] of Object.entries(
        isFields(value.positions) ? value.positions : {},
      )) {
        const found = readPosition(raw);
        if (found !== null) positions.set(channel, found);
      }
      return { type: "connection_established", positions };
    }
    case "chat": {
      const message = readMessage(value);
      return message === null ? null : { type: "chat", message, position };
    }
    case "deleted":
      return typeof value.id === "number" ? { type: "deleted", id: value.id, position } : null;
    case "comment": {
      const { id, username, body, timestamp } = value;
      if (!isId(id) || typeof username !== "string" || typeof body !== "string") return null;
      return {
        type: "comment",
        comment: { id, username, body, timestamp: text(timestamp) },
        position,
      };
    }
    case "comment_deleted":
      return isId(value.id) ? { type: "comment_deleted", id: value.id, position } : null;
    case "post_deleted":
      return { type: "post_deleted", position };
    case "announcement":
      if (typeof value.id !== "number") return null;
      return {
        type: "announcement",
        id: value.id,
        message: text(value.message),
        timestamp: text(value.timestamp),
        expiresAt: textOrNull(value.expires_at),
        position,
      };
    case "seen_announcement":
      return isId(value.id) ? { type: "seen_announcement", id: value.id, position } : null;
    case "notification": {
      const notification = readNotification(value);
      if (notification === null) return null;
      return { type: "notification", notification, unread: readCount(value.unread), position };
    }
    case "unread": {
      const unread = readCount(value.unread);
      if (unread === null) return null;
      return { type: "unread", unread, change: readChange(value.change), position };
    }
    case "job":
      return readJob(value);
    case "reset":
      return { type: "reset", channel: textOrNull(value.channel), position };
    case "error":
      return {
        type: "error",
        code: typeof value.code === "number" ? value.code : 0,
        message: text(value.message),
        clientId: textOrNull(value.client_id),
        retryAfterMs: typeof value.retry_after === "number" ? value.retry_after * 1000 : null,
      };
    default:
      return position === null ? null : { type: "other", position };
  }
}
