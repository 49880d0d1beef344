import type { Clock } from "./format";
import type { InboxItem } from "./inboxlist";

/** How much of a body the list shows; its own page shows all of it. */
const BODY_CHARACTERS = 280;

/** What one row of the inbox needs besides its item. */
export interface RowContext {
  readonly clock: Clock;
  readonly categories: ReadonlyMap<string, string>;
}

/** Bring a row, which the server's template made, up to date with its notification. */
export function drawNotification(
  row: HTMLElement,
  item: InboxItem,
  { clock, categories }: RowContext,
): void {
  if (row.dataset.id !== String(item.id)) drawContent(row, item, categories);
  row.classList.toggle("notification-unread", item.unread && !item.archived);
  show(row, ".notification-state", item.unread && !item.archived);
  show(row, "[name=read]", item.unread && !item.archived);
  show(row, "[name=unread]", !item.unread && !item.archived);
  show(row, "[name=archive]", !item.archived);
  show(row, "[name=unarchive]", item.archived);
  const at = new Date(item.timestamp);
  const time = row.querySelector("time");
  if (time === null || Number.isNaN(at.getTime())) return;
  time.dateTime = at.toISOString();
  time.title = clock.fullTimeOf(at);
  time.textContent = clock.momentOf(at);
}

function drawContent(
  row: HTMLElement,
  item: InboxItem,
  categories: ReadonlyMap<string, string>,
): void {
  row.dataset.id = String(item.id);
  write(row, ".notification-title", item.title);
  write(row, ".notification-body", beginning(item.body, BODY_CHARACTERS));
  write(row, ".notification-category", categories.get(item.category) ?? item.category);
  show(row, ".notification-body", item.body !== "");
  row.querySelector(".notification-open")?.setAttribute("formaction", `/inbox/${item.id}/`);
  for (const button of row.querySelectorAll<HTMLButtonElement>(".notification-tools button")) {
    button.value = String(item.id);
    button.setAttribute("aria-label", `${button.textContent.trim()}: ${item.title}`);
  }
}

/** Cut as the server cuts: the ellipsis counts. */
export function beginning(text: string, limit: number): string {
  const characters = [...text];
  return characters.length <= limit ? text : `${characters.slice(0, limit - 1).join("")}…`;
}

function write(row: HTMLElement, selector: string, text: string): void {
  const target = row.querySelector(selector);
  if (target !== null) target.textContent = text;
}

function show(row: HTMLElement, selector: string, isShown: boolean): void {
  const target = row.querySelector<HTMLElement>(selector);
  if (target !== null) target.hidden = !isShown;
}
