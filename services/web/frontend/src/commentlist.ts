import { initials, tone } from "./avatar";
import type { Clock } from "./format";
import { part } from "./page";
import type { WireComment } from "./wire";

/** The comments on screen: the server's own list, to which live ones are added in its form. */
export class CommentList {
  private readonly list = part("#comment-list", HTMLOListElement);
  private readonly none = part("#no-comments", HTMLElement);
  private readonly template = part("#comment-template", HTMLTemplateElement);

  constructor(
    private readonly clock: Clock,
    private readonly mayDelete: (comment: WireComment) => boolean,
  ) {}

  get ids(): readonly number[] {
    return idsOf(this.list);
  }

  append(comment: WireComment): void {
    // Two people's transactions may end in another order than their ids were given out.
    const next = [...this.list.children].find((row) => idOf(row) > comment.id);
    this.list.insertBefore(this.build(comment), next ?? null);
    this.none.hidden = true;
  }

  remove(id: number): void {
    this.row(id)?.remove();
    this.none.hidden = this.list.children.length > 0;
  }

  /** Take over the list of a page that was read again. */
  replace(page: Document): void {
    const rows = page.querySelectorAll("#comment-list > li");
    this.list.replaceChildren(...[...rows].map((row) => document.adoptNode(row)));
    this.none.hidden = this.list.children.length > 0;
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
    time.textContent = this.clock.timeOf(at);
  }
}

function idOf(row: Element): number {
  return row instanceof HTMLElement ? Number(row.dataset.id) : 0;
}

function idsOf(list: Element): readonly number[] {
  return [...list.children].map(idOf);
}
