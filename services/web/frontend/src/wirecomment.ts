import { type Fields, isId, text } from "./wirefields";

/** What somebody said below a post. */
export interface WireComment {
  readonly id: number;
  readonly username: string;
  readonly body: string;
  readonly timestamp: string;
}

/** Read one comment of a frame; null when it is not one. */
export function readComment({ id, username, body, timestamp }: Fields): WireComment | null {
  if (!isId(id) || typeof username !== "string" || typeof body !== "string") return null;
  return { id, username, body, timestamp: text(timestamp) };
}
