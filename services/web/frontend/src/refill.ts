import type { Announcement, AnnouncementBoard } from "./announcements";
import { Backoff } from "./backoff";

/** Fills the board again after a reset, over HTTP, however often that has to be tried. */
export class Refill {
  /** A later reset makes an answer under way worthless. */
  private round = 0;

  constructor(
    private readonly board: AnnouncementBoard,
    private readonly read: () => Promise<readonly Announcement[]>,
    private readonly onFilled: () => void,
    private readonly backoff = new Backoff(),
  ) {}

  async start(): Promise<void> {
    this.round += 1;
    const round = this.round;
    while (round === this.round) {
      try {
        const announcements = await this.read();
        if (round !== this.round) return;
        this.board.fill(announcements);
        this.backoff.reset();
        this.onFilled();
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, this.backoff.next()));
      }
    }
  }

  /** No more attempts: the server has refused this reader. */
  stop(): void {
    this.round += 1;
  }
}
