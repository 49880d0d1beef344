import { initials, tone } from "./avatar";
import type { Clock } from "./format";
import { part } from "./page";
import type { WireComment } from "./wirecomment";

/** The comments on screen: the server's own list, to which live ones are added in its form. */
export class CommentList {
  private readonly list = part("#comment-list", HTMLOListElement);
  private readonly none = part("#no-comments", HTMLElement);
  private readonly heading = part("#comments-title", HTMLElement);
  private readonly template = part("#comment-template", HTMLTemplateElement);

  constructor(
    private readonly clock: Clock,
    private readonly mayDelete: (comment: WireComment) => boolean,
  ) {}

  get ids(): readonly number[] {
    return idsOf(this.list);
  }

  append(comment: WireComment): void {
    this.insert(this.build(comment), comment.id);
  }

  remove(id: number): void {
    const row = this.row(id);
    const hadFocus = row?.contains(document.activeElement) ?? false;
    const next = row?.nextElementSibling ?? row?.previousElementSibling ?? null;
    row?.remove();
    this.none.hidden = this.list.children.length > 0;
    // The reader keeps their place on the page.
    if (hadFocus) (next?.querySelector<HTMLElement>("a") ?? this.heading).focus();
  }

  /** Take over the list of a page that was read again; a row that is in both stays as it is. */
  replace(page: Document): void {
    const rows = [...page.querySelectorAll("#comment-list > li")];
    const kept = new Set(rows.map(idOf));
    for (const id of this.ids) if (!kept.has(id)) this.remove(id);
    for (const row of rows) {
      if (this.row(idOf(row)) === null) this.insert(document.adoptNode(row), idOf(row));
    }
    this.drawTimes();
  }

  /** The times that the server wrote, as those of live comments are written. */
  drawTimes(): void {
    for (const time of this.list.querySelectorAll("time")) {
      this.drawTime(time, new Date(time.dateTime));
    }
  }

  private insert(row: Node, id: number): void {
    // Two people's transactions may end in another order than their ids were given out.
    const next = [...this.list.children].find((other) => idOf(other) > id);
    this.list.insertBefore(row, next ?? null);
    this.none.hidden = true;
  }

  private row(id: number): Element | null {
    return this.list.querySelector(`[data-id="${id}"]`);
  }

  private build(comment: WireComment): Node {
    const { id, username, body, timestamp } = comment;
    const made = document.importNode(this.template.content, true);
    const find = <T extends Element>(selector: string) => made.querySelector<T>(selector);
    const row = find<HTMLLIElement>("li");
    if (row !== null) {
      row.id = `comment-${id}`;
      row.dataset.id = String(id);
    }
    const avatar = find(".avatar");
    avatar?.setAttribute("class", `avatar small ${tone(username)}`);
    avatar?.replaceChildren(initials(username));
    find(".byline-name")?.setAttribute("href", `/people/${encodeURIComponent(username)}/`);
    find("bdi")?.replaceChildren(username);
    find(".prose")?.replaceChildren(body);
    this.drawTime(find("time"), new Date(timestamp));
    if (this.mayDelete(comment)) {
      find("input[name=comment]")?.setAttribute("value", String(id));
      find("summary")?.setAttribute("aria-label", `Delete this comment of ${username}`);
    } else {
      find(".delete-menu")?.remove();
    }
    return made;
  }

  private drawTime(time: HTMLTimeElement | null, at: Date): void {
    if (time === null || Number.isNaN(at.getTime())) return;
    time.dateTime = at.toISOString();
    time.title = this.clock.fullTimeOf(at);
    time.textContent = this.clock.momentOf(at);
  }
}

function idOf(row: Element): number {
  return row instanceof HTMLElement ? Number(row.dataset.id) : 0;
}

function idsOf(list: Element): readonly number[] {
  return [...list.children].map(idOf);
}
