import type { InboxItem } from "./inboxlist";
import { drawNotification, type RowContext } from "./notification";
import { part } from "./page";

/** The list on the screen: draws items, keeps the reader's focus. */
export class InboxRows {
  private readonly list = part("#inbox-list", HTMLOListElement);
  private readonly empty = part("#inbox-empty", HTMLElement);
  private readonly heading = part("#inbox-title", HTMLElement);
  private readonly blank = part("#inbox-item", HTMLTemplateElement);

  constructor(private readonly context: RowContext) {}

  draw(items: readonly InboxItem[]): void {
    const focused = this.focusedRow();
    const after = focused?.nextElementSibling ?? focused?.previousElementSibling ?? null;
    const rows = new Map<string, HTMLElement>();
    for (const row of this.list.querySelectorAll<HTMLElement>("[data-id]")) {
      rows.set(row.dataset.id ?? "", row);
    }
    let next = this.list.firstElementChild;
    for (const item of items) {
      const key = String(item.id);
      const row = rows.get(key) ?? this.build();
      rows.delete(key);
      if (row === next) next = row.nextElementSibling;
      else this.list.insertBefore(row, next);
      drawNotification(row, item, this.context);
    }
    for (const gone of rows.values()) gone.remove();
    this.list.hidden = items.length === 0;
    this.empty.hidden = items.length > 0;
    if (focused !== null) this.keepFocus(focused, after);
  }

  private build(): HTMLElement {
    const row = this.blank.content.firstElementChild?.cloneNode(true);
    if (row instanceof HTMLElement) return row;
    throw new Error("The inbox has no row to copy: its template and this script do not fit.");
  }

  private focusedRow(): HTMLElement | null {
    const focused = document.activeElement;
    return this.list.contains(focused)
      ? (focused?.closest<HTMLElement>("[data-id]") ?? null)
      : null;
  }

  /** A row or a button that goes must not take the reader's place on the page with it. */
  private keepFocus(row: HTMLElement, after: Element | null): void {
    const focused = document.activeElement;
    if (row.isConnected && row.contains(focused) && focused?.closest("[hidden]") === null) return;
    const target = row.isConnected
      ? row.querySelector<HTMLElement>(".notification-tools button:not([hidden])")
      : after?.isConnected
        ? after.querySelector<HTMLElement>(".notification-open")
        : null;
    (target ?? this.heading).focus();
  }
}
