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

export type Publication = ChatFrame | DeletedFrame | AnnouncementFrame;
export type Frame = Established | Publication | OtherFrame | ResetFrame | ErrorFrame;

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null);

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
    case "announcement":
      if (typeof value.id !== "number") return null;
      return {
        type: "announcement",
        id: value.id,
        message: text(value.message),
        timestamp: text(value.timestamp),
        position,
      };
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
