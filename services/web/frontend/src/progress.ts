/** How far a bulk job is, and how a page says so. Pure: no document, no network. */

import type { JobFrame } from "./wirejob";

const STATES: Readonly<Record<string, string>> = {
  draft: "Draft",
  planning: "Planning",
  running: "Running",
  paused: "Paused",
  finished: "Finished",
  cancelled: "Cancelled",
};

/** A screen reader hears of these and of every new state, not of each frame. */
const MILESTONE_PERCENT = 25;

export function isFinal(state: string): boolean {
  return state === "finished" || state === "cancelled";
}

export function isMoving(state: string): boolean {
  return state === "planning" || state === "running";
}

/** What has changed, for whoever draws it. */
export interface Change {
  readonly state: boolean;
  /** What a screen reader should hear, if anything. */
  readonly words: string | null;
}

/**
 * A job as a page has come to know it. Answers may overtake each other, and planning raises the
 * total under what is done: the bar does not fall for either. A retry alone begins anew.
 */
export class JobProgress {
  /** Between 0 and 100. */
  percent: number;

  constructor(private known: JobFrame) {
    this.percent = shownPercent(known);
  }

  get job(): JobFrame {
    return this.known;
  }

  take(next: JobFrame): Change {
    const before = this.known;
    const percentBefore = this.percent;
    const again = isFinal(before.state) && !isFinal(next.state);
    this.known =
      !again && next.done < before.done
        ? { ...before, state: next.state, rate: next.rate, etaSeconds: next.etaSeconds }
        : next;
    this.percent = again ? shownPercent(next) : Math.max(percentBefore, shownPercent(next));
    const state = before.state !== next.state;
    const reached = Math.floor(this.percent / MILESTONE_PERCENT);
    const milestone = reached > Math.floor(percentBefore / MILESTONE_PERCENT);
    return { state, words: state || milestone ? this.summary() : null };
  }

  /** Cut, not rounded: 99.9 is not yet everybody. */
  percentText(): string {
    return `${Math.floor(this.percent)} %`;
  }

  summary(): string {
    return `${stateWords(this.known)}, ${this.percentText()}`;
  }
}

/** Full at the end alone; a job that ends with parked chunks never is. */
function shownPercent(job: JobFrame): number {
  return isFinal(job.state) ? job.percent : Math.min(job.percent, 99);
}

/** Such as "Finished, 3 failed"; `job_words.py` agrees. */
export function stateWords(job: JobFrame, language?: string): string {
  const words = STATES[job.state] ?? job.state;
  const failed = notTold(job);
  return failed > 0 ? `${words}, ${countText(failed, language)} failed` : words;
}

/** "all" where nobody could be told, "some" where a part could not; otherwise empty. */
export function troubleOf(job: JobFrame): "" | "some" | "all" {
  const failed = notTold(job);
  if (failed === 0) return "";
  return failed === job.total ? "all" : "some";
}

/** Whoever is left at the end is in a chunk that was parked. */
function notTold(job: JobFrame): number {
  return job.failed + (job.state === "finished" ? job.total - job.done : 0);
}

export function countText(value: number, language?: string): string {
  return value.toLocaleString(language);
}

/** Such as "1,200 per second"; empty while nothing moves. `templatetags/amounts.py` agrees. */
export function rateText(job: JobFrame, language?: string): string {
  if (!isMoving(job.state) || job.rate === null) return "";
  return `${countText(Math.round(job.rate), language)} per second`;
}

/** Such as "about 3 minutes left"; empty while nothing moves. */
export function etaText(job: JobFrame): string {
  if (!isMoving(job.state) || job.etaSeconds === null) return "";
  const seconds = job.etaSeconds;
  if (seconds < 10) return "a few seconds left";
  if (seconds < 55) return `about ${Math.ceil(seconds / 10) * 10} seconds left`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `about ${plural(minutes, "minute")} left`;
  return `about ${plural(Math.round(seconds / 3600), "hour")} left`;
}

function plural(value: number, noun: string): string {
  return value === 1 ? `1 ${noun}` : `${value} ${noun}s`;
}
