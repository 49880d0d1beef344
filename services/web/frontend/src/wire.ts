import type { Position } from "./position";
import { readComment, type WireComment } from "./wirecomment";
import {
  type Fields,
  isFields,
  isId,
  readCount,
  readPosition,
  text,
  textOrNull,
} from "./wirefields";
import { type JobFrame, readJob } from "./wirejob";
import { readMessage, type WireMessage } from "./wiremessage";
import {
  type Change,
  readChange,
  readNotification,
  type WireNotification,
} from "./wirenotification";

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

export interface NotificationFrame {
  readonly type: "notification";
  readonly notification: WireNotification;
  /** The server's count after it. */
  readonly unread: number | null;
  readonly position: Position | null;
}

export interface UnreadFrame {
  readonly type: "unread";
  readonly unread: number;
  readonly change: Change | null;
  readonly position: Position | null;
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
      const comment = readComment(value);
      return comment === null ? null : { type: "comment", comment, position };
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
