import type { Position } from "./position";
import { readComment, type WireComment } from "./wirecomment";
import { isFields, isId, readCount, text, textOrNull } from "./wirefields";
import { type JobFrame, readJob } from "./wirejob";
import { readMessage, type WireMessage } from "./wiremessage";
import {
  type Change,
  readChange,
  readNotification,
  type WireNotification,
} from "./wirenotification";

/** A publication as it comes: of a channel of which nothing is kept it has no offset. */
export interface Published {
  readonly data: unknown;
  readonly offset?: number;
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

/** How many are in a channel that has too many to tell who comes and goes. */
export interface CrowdFrame {
  readonly type: "presence";
  readonly clients: number;
  readonly users: number;
}

/** Somebody is writing; the server has put in who. */
export interface TypingFrame {
  readonly type: "typing";
  readonly username: string;
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
  | JobFrame
  | CrowdFrame
  | TypingFrame;

/** Read a publication's data; null for what says nothing to this page. */
export function readPublication(value: unknown, position: Position | null): Publication | null {
  if (!isFields(value)) return null;
  switch (value.type) {
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
    case "presence": {
      const [clients, users] = [readCount(value.num_clients), readCount(value.num_users)];
      return clients === null || users === null ? null : { type: "presence", clients, users };
    }
    case "typing":
      return typeof value.username === "string"
        ? { type: "typing", username: value.username }
        : null;
    default:
      return null;
  }
}
