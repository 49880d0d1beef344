/** A place in a channel's stream; the server writes it `<epoch>.<offset>`. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

export function formatPosition(position: Position): string {
  return `${position.epoch}.${position.offset}`;
}

/** Read a written position; null for whatever else stands in its place. */
export function parsePosition(text: unknown): Position | null {
  const match = typeof text === "string" ? /^([A-Za-z0-9-]+)\.(\d{1,15})$/.exec(text) : null;
  return match?.[1] === undefined ? null : { epoch: match[1], offset: Number(match[2]) };
}
