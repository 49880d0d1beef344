import { initials, tone } from "./avatar";
import type { Person } from "./connection";
import { element } from "./dom";
import { part } from "./page";
import type { Roster } from "./roster";

/** Shows who is in the room: their number, and their names where they can be listed. */
export class PeopleMenu {
  private readonly menu = part("#people", HTMLDetailsElement);
  private readonly number = part("#people-count", HTMLElement);
  private readonly note = part("#people-note", HTMLElement);
  private readonly list = part("#people-list", HTMLUListElement);
  private rows = new Map<string, HTMLLIElement>();

  constructor(
    private readonly reader: { readonly userId: number; readonly username: string },
    private readonly language: string | undefined,
  ) {}

  draw(roster: Roster): void {
    this.menu.hidden = false;
    this.number.textContent = roster.count.toLocaleString(this.language);
    this.note.hidden = !roster.isCrowd;
    this.drawList(sorted(roster.people, String(this.reader.userId)));
  }

  /** Rows stay in place, for the sake of focus. */
  private drawList(people: readonly Person[]): void {
    const rows = new Map<string, HTMLLIElement>();
    for (const person of people) rows.set(person.user, this.row(person));
    for (const [user, row] of this.rows) if (rows.get(user) !== row) row.remove();
    let next = this.list.firstElementChild;
    for (const row of rows.values()) {
      if (row === next) next = row.nextElementSibling;
      else this.list.insertBefore(row, next);
    }
    this.rows = rows;
  }

  private row({ user, username }: Person): HTMLLIElement {
    const old = this.rows.get(user);
    if (old?.dataset.username === (username ?? "")) return old;
    const isReader = user === String(this.reader.userId);
    const name =
      username === null
        ? "Somebody"
        : element("a", { href: `/people/${encodeURIComponent(username)}/` }, username);
    return element(
      "li",
      { "data-testid": "person", "data-username": username ?? "" },
      element(
        "span",
        { class: `avatar small ${tone(username ?? "")}`, "aria-hidden": "true" },
        initials(username ?? ""),
      ),
      element("span", { class: "member-name" }, name),
      isReader ? element("span", { class: "member-note" }, "You") : null,
    );
  }
}

/** The reader first, then by name; those without one last. */
export function sorted(people: readonly Person[], reader: string): readonly Person[] {
  const rank = ({ user, username }: Person) => (user === reader ? 0 : username === null ? 2 : 1);
  return [...people].sort(
    (a, b) => rank(a) - rank(b) || (a.username ?? "").localeCompare(b.username ?? ""),
  );
}
