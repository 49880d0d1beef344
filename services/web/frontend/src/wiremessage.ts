import { isFields, text, textOrNull } from "./wirefields";

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
