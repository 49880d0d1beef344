import { Backoff } from "./backoff";

/** Reads over HTTP what a reset has made uncertain, however often that has to be tried. */
export class Refill<T> {
  /** A later reset makes an answer under way worthless. */
  private round = 0;

  constructor(
    private readonly read: () => Promise<T>,
    private readonly take: (answer: T) => void,
    private readonly backoff = new Backoff(),
  ) {}

  async start(): Promise<void> {
    this.round += 1;
    const round = this.round;
    while (round === this.round) {
      let answer: T;
      try {
        answer = await this.read();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, this.backoff.next()));
        continue;
      }
      if (round !== this.round) return;
      this.backoff.reset();
      this.take(answer);
      return;
    }
  }

  /** No more attempts: the server has refused this reader. */
  stop(): void {
    this.round += 1;
  }
}
