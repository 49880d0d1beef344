/** The inbox, live: what comes in is on top, what is read or archived elsewhere follows here. */

import {
  changeNotifications,
  type InboxPage,
  type InboxVerb,
  noticeNotifications,
  readInbox,
} from "./api";
import "./events";
import { Clock } from "./format";
import { words } from "./history";
import { InboxList } from "./inboxlist";
import { InboxRows } from "./inboxrows";
import { csrfToken, type InboxPageData, type Page, part, readInboxPage, readPage } from "./page";
import { Refill } from "./refill";
import type { Change, NotificationState } from "./wirenotification";

/** Several that come in together are noticed together. */
const NOTICE_MS = 2_000;

const STATES: Readonly<Record<InboxVerb, NotificationState>> = {
  read: "read",
  unread: "unread",
  archive: "archived",
  unarchive: "unarchived",
};

class Inbox {
  private readonly list: InboxList;
  private readonly rows: InboxRows;
  private readonly form = part("#inbox-form", HTMLFormElement);
  private readonly news = part("#inbox-news", HTMLElement);
  private readonly problem = part("#inbox-problem", HTMLElement);
  private readonly older = part("#inbox-older", HTMLAnchorElement);
  private readonly refill: Refill<InboxPage>;
  private noticeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    page: Page,
    private readonly data: InboxPageData,
  ) {
    this.list = new InboxList(data.filter);
    this.list.fill(data.items);
    this.rows = new InboxRows({ clock: new Clock(page.language), categories: data.categories });
    this.refill = new Refill(
      () => readInbox(data.filter, data.before, data.limit),
      (answer) => this.take(answer),
    );
    document.addEventListener("carillon:notification", (event) => {
      this.drawAll(event.detail.unread);
      if (data.before !== null || !this.list.add(event.detail.notification)) return;
      event.preventDefault();
      this.news.textContent = `New: ${event.detail.notification.title}`;
      this.rows.draw(this.list.shown);
      this.planNotice();
    });
    document.addEventListener("carillon:unread", ({ detail }) => {
      this.drawAll(detail.unread);
      if (detail.change !== null) this.apply(detail.change);
    });
    document.addEventListener("carillon:reset", () => this.reread());
    document.addEventListener("visibilitychange", () => this.planNotice());
    this.form.addEventListener("submit", (event) => this.onSubmit(event));
  }

  start(): void {
    this.rows.draw(this.list.shown);
    if (this.data.unseen) this.planNotice();
  }

  /** Nothing unread leaves nothing to mark. */
  private drawAll(unread: number | null): void {
    if (unread === null) return;
    const all = document.querySelector<HTMLElement>("#inbox-all");
    if (all === null || all.hidden === (unread === 0)) return;
    const hadFocus = all.contains(document.activeElement);
    all.hidden = unread === 0;
    if (hadFocus) part("#inbox-title", HTMLElement).focus();
  }

  private reread(): void {
    this.list.expire();
    void this.refill.start();
  }

  private take({ items, unread, next }: InboxPage): void {
    this.drawAll(unread);
    this.list.fill(items);
    this.rows.draw(this.list.shown);
    const address = new URL(this.older.href, location.href);
    address.searchParams.set("before", String(next));
    this.older.href = address.href;
    this.older.hidden = next === null;
  }

  private apply(change: Change): void {
    const isComplete = this.list.apply(change);
    const shown = this.list.shown;
    this.rows.draw(shown);
    if (!isComplete || (shown.length === 0 && !this.older.hidden)) this.reread();
  }

  private onSubmit(event: SubmitEvent): void {
    const pressed = event.submitter;
    if (!(pressed instanceof HTMLButtonElement) || !(pressed.name in STATES)) return;
    event.preventDefault();
    const id = Number(pressed.value);
    void this.change(pressed.name as InboxVerb, pressed.value === "all" ? "all" : [id]);
  }

  private async change(verb: InboxVerb, ids: readonly number[] | "all"): Promise<void> {
    this.problem.hidden = true;
    try {
      const unread = await changeNotifications(verb, ids, csrfToken());
      this.drawAll(unread);
      this.apply({ state: STATES[verb], ids });
    } catch (error) {
      this.problem.textContent = `Nothing was changed. ${words(error)}`;
      this.problem.hidden = false;
    }
  }

  /** The reader has the inbox before them. */
  private planNotice(): void {
    if (document.hidden || this.noticeTimer !== undefined) return;
    this.noticeTimer = setTimeout(() => {
      this.noticeTimer = undefined;
      // The next visit says it again.
      if (!document.hidden) noticeNotifications(csrfToken()).catch(() => undefined);
    }, NOTICE_MS);
  }
}

const page = readPage();
const data = readInboxPage();
if (page !== null && data !== null) new Inbox(page, data).start();
