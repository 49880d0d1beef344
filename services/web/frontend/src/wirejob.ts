import { isFields, isId, numberOrNull, readCount, text } from "./wirefields";

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
}

/** Read how a bulk job stands, from a publication or from the page; null when it is not one. */
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
  };
}
