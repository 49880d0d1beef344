/**
 * How long to wait before the next attempt: exponential, capped, with full jitter, so that
 * thousands of pages which lost the same gateway do not return in step.
 */
export class Backoff {
  private attempts = 0;

  constructor(
    private readonly baseMs = 500,
    private readonly capMs = 30_000,
    private readonly random: () => number = Math.random,
  ) {}

  next(): number {
    const ceiling = Math.min(this.capMs, this.baseMs * 2 ** this.attempts);
    this.attempts += 1;
    return Math.round(this.random() * ceiling);
  }

  reset(): void {
    this.attempts = 0;
  }
}
