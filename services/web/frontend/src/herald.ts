import type { Change, WireNotification } from "./wirenotification";

/** Long enough for a page that catches up to hear what was read meanwhile on another device. */
const HOLD_MS = 700;
/** A publication that comes twice does so within so many others. */
const REMEMBERED = 500;

/** Collects new notifications for a moment and lets go of those that the reader has not read. */
export class Herald {
  private held: readonly WireNotification[] = [];
  private heard: readonly number[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly show: (news: readonly WireNotification[]) => void) {}

  hear(notification: WireNotification): void {
    if (this.heard.includes(notification.id)) return;
    this.heard = [...this.heard, notification.id].slice(-REMEMBERED);
    this.held = [...this.held, notification];
    this.timer ??= setTimeout(() => this.release(), HOLD_MS);
  }

  /** What was read or archived elsewhere is no news any more. */
  settle({ state, ids }: Change): void {
    if (state !== "read" && state !== "archived") return;
    this.held = ids === "all" ? [] : this.held.filter(({ id }) => !ids.includes(id));
  }

  /** Ids may begin anew. */
  reset(): void {
    this.heard = [];
  }

  private release(): void {
    this.timer = undefined;
    const news = this.held;
    this.held = [];
    if (news.length > 0) this.show(news);
  }
}
