import { part } from "./page";
import { badge, bellLabel, titled } from "./unread";

/** The bell at the top of every page, and the number before the page's title. */
export class Bell {
  private readonly link = part("#bell", HTMLAnchorElement);
  private readonly title = document.title;
  private readonly count = part("#bell-count", HTMLElement);

  draw(count: number): void {
    this.count.textContent = badge(count);
    this.count.hidden = count <= 0;
    this.link.setAttribute("aria-label", bellLabel(count));
    document.title = titled(this.title, count);
  }
}
