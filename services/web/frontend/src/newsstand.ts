import { Herald } from "./herald";
import type { Leadership } from "./leadership";
import type { Notifier } from "./notifier";
import { csrfToken } from "./page";
import { Toasts } from "./toasts";
import type { Change, WireNotification } from "./wirenotification";

/** More at once than these become one that counts them. */
const SINGLY = 3;
const INBOX = "/inbox/";

/**
 * Shows new notifications: as the browser's own where it may, from one of the reader's tabs, else
 * in a corner of the page.
 */
export class Newsstand {
  private readonly toasts = new Toasts();
  private readonly herald = new Herald((news) => this.show(news));
  /** Shown already by the page's own script. */
  private readonly onPage = new Set<number>();

  constructor(
    private readonly notifier: Notifier,
    private readonly leadership: Leadership,
  ) {}

  hear(notification: WireNotification, isOnPage: boolean): void {
    if (isOnPage) this.onPage.add(notification.id);
    this.herald.hear(notification);
  }

  settle(change: Change): void {
    this.herald.settle(change);
  }

  reset(): void {
    this.herald.reset();
  }

  private show(news: readonly WireNotification[]): void {
    if (this.notifier.isAllowed && (!this.leadership.isHere || this.showInBrowser(news))) return;
    this.showOnPage(news.filter(({ id }) => !this.onPage.has(id)));
  }

  private showInBrowser(news: readonly WireNotification[]): boolean {
    if (news.length > SINGLY) {
      const title = manyTitle(news);
      const onClick = () => location.assign(INBOX);
      return this.notifier.notify({ title, body: "", tag: "notifications", onClick });
    }
    return news.every(({ id, title, body }) =>
      this.notifier.notify({
        title,
        body,
        tag: `notification-${id}`,
        onClick: () => openNotification(id),
      }),
    );
  }

  private showOnPage(news: readonly WireNotification[]): void {
    if (news.length > SINGLY) {
      const onOpen = () => location.assign(INBOX);
      this.toasts.show({ title: manyTitle(news), body: "", onOpen });
      return;
    }
    for (const { id, title, body } of news) {
      this.toasts.show({ title, body, onOpen: () => openNotification(id) });
    }
  }
}

function manyTitle(news: readonly WireNotification[]): string {
  return `${news.length} new notifications`;
}

/** Mark it read and go where it leads: the server does both, and knows which addresses are safe. */
function openNotification(id: number): void {
  const form = document.createElement("form");
  form.method = "post";
  form.action = `${INBOX}${id}/`;
  const token = document.createElement("input");
  token.type = "hidden";
  token.name = "csrfmiddlewaretoken";
  token.value = csrfToken();
  form.append(token);
  document.body.append(form);
  form.submit();
}
