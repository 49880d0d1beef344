/** Reading values of the server's JSON, whatever stands there. */

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export const text = (value: unknown): string => (typeof value === "string" ? value : "");
export const textOrNull = (value: unknown): string | null =>
  typeof value === "string" ? value : null;
export const numberOrNull = (value: unknown): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null;
export const isId = (value: unknown): value is number => Number.isSafeInteger(value);

/** Read a number of things; null for what cannot be one. */
export function readCount(value: unknown): number | null {
  return isId(value) && value >= 0 ? value : null;
}
