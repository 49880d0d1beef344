import type { Item } from "./conversation";
import { element } from "./dom";
import type { Clock } from "./format";
import { drawMessage, type MessageActions } from "./message";
import { part } from "./page";

/** Nearer than this to the newest message, the reader is taken to follow the conversation. */
const FOLLOW_PX = 80;
/** Nearer than this to the oldest one, older messages are fetched. */
const OLDER_PX = 300;
const SETTLE_MS = 500;

/** The scrolling list of messages: draws items, keeps the reader's place. */
export class Timeline {
  private readonly scroller = part("#timeline", HTMLElement);
  private readonly list = part("#messages", HTMLOListElement);
  private readonly empty = part("#no-messages", HTMLElement);
  private readonly older = part("#load-older", HTMLButtonElement);
  private readonly newest = part("#new-messages", HTMLButtonElement);
  private rows = new Map<string, HTMLLIElement>();
  private following = true;
  private unseen = 0;
  private newestId = 0;
  private busyTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly actions: MessageActions,
    private readonly onNearStart: () => void,
  ) {
    this.older.addEventListener("click", () => this.onNearStart());
    this.newest.addEventListener("click", () => this.follow());
    this.scroller.addEventListener("scroll", () => this.onScroll(), { passive: true });
    // A phone's keyboard takes half the screen; whoever followed still wants the newest message.
    new ResizeObserver(() => this.following && this.toEnd()).observe(this.scroller);
  }

  get isFollowing(): boolean {
    return this.following;
  }

  draw(items: readonly Item[]): void {
    const anchor = this.following ? null : this.anchor();
    const rows = new Map<string, HTMLLIElement>();
    let next = this.list.firstElementChild;
    const place = (key: string): HTMLLIElement => {
      const row = this.rows.get(key) ?? element("li");
      rows.set(key, row);
      if (row === next) next = row.nextElementSibling;
      else this.list.insertBefore(row, next);
      return row;
    };
    for (const item of items) {
      if (item.startsDay) this.drawDay(place(`day:${this.clock.dayKey(item.at)}`), item.at);
      drawMessage(place(item.key), item, this.clock, this.actions);
    }
    for (const [key, row] of this.rows) {
      if (rows.get(key) !== row) row.remove();
    }
    this.rows = rows;
    this.empty.hidden = items.length > 0;
    this.count(items);
    if (anchor === null) this.toEnd();
    else this.scroller.scrollTop += bottomOf(anchor.row) - anchor.bottom;
  }

  /** Show how the older messages stand. */
  drawOlder(more: boolean, loading: boolean, problem: string | null): void {
    this.older.hidden = !more;
    this.older.disabled = loading;
    this.older.textContent = loading
      ? "Loading…"
      : problem === null
        ? "Load older messages"
        : `${problem} Load older messages`;
    this.setBusy(loading);
  }

  /** Whether the reader is about to run out of messages. */
  isNearStart(): boolean {
    return this.scroller.scrollTop < OLDER_PX;
  }

  /** Go to the newest message and stay with it. */
  follow(): void {
    this.following = true;
    this.toEnd();
    this.drawNewest(0);
  }

  /** Go to one message and mark it. */
  show(id: number): void {
    for (const row of this.list.children) {
      if (!(row instanceof HTMLElement)) continue;
      delete row.dataset.linked;
      if (row.dataset.id !== String(id)) continue;
      this.following = false;
      row.dataset.linked = "";
      row.tabIndex = -1;
      row.focus({ preventScroll: true });
      row.scrollIntoView({ block: "center" });
    }
  }

  /** While old messages are put in above, a screen reader must not read them out as news. */
  private setBusy(busy: boolean): void {
    clearTimeout(this.busyTimer);
    if (busy) this.scroller.setAttribute("aria-busy", "true");
    // Browsers tell screen readers of a change some time after it was made.
    else this.busyTimer = setTimeout(() => this.scroller.removeAttribute("aria-busy"), SETTLE_MS);
  }

  private drawDay(row: HTMLLIElement, at: Date): void {
    row.className = "day";
    const name = this.clock.dayName(at);
    if (row.textContent !== name) row.replaceChildren(element("span", {}, name));
  }

  private count(items: readonly Item[]): void {
    const before = this.newestId;
    let fresh = 0;
    for (const { id, own } of items) {
      if (id === null) continue;
      if (id > before && !own) fresh += 1;
      this.newestId = Math.max(this.newestId, id);
    }
    if (!this.following && before > 0) this.drawNewest(this.unseen + fresh);
  }

  private drawNewest(unseen: number): void {
    this.unseen = unseen;
    this.newest.hidden = this.following || unseen === 0;
    this.newest.textContent = unseen === 1 ? "1 new message" : `${unseen} new messages`;
  }

  private onScroll(): void {
    const rest = this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight;
    this.following = rest < FOLLOW_PX;
    if (this.following) this.drawNewest(0);
    if (this.isNearStart()) this.onNearStart();
  }

  /** The first message in view. Its lower edge must not move when others come in above it. */
  private anchor(): { row: HTMLElement; bottom: number } | null {
    for (const row of this.rows.values()) {
      const bottom = bottomOf(row);
      if (bottom > this.scroller.scrollTop && row.dataset.id) return { row, bottom };
    }
    return null;
  }

  private toEnd(): void {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }
}

/** Not the upper edge: a message whose run goes on above it loses its author's name. */
function bottomOf(row: HTMLElement): number {
  return row.offsetTop + row.offsetHeight;
}
