import type { Person } from "./connection";

/** Above this many clients the server stops telling who comes and goes; it begins again below. */
const LISTED = 200;
const LISTED_AGAIN = 150;

/**
 * Who is in a room, by user: no leave of somebody who is still there with another tab is told.
 *
 * Joins and leaves that come while the list is being read are put on top of it: whoever is in the
 * answer and left since is not there.
 */
export class Roster {
  private known = new Map<string, Person>();
  private read = false;
  /** What was told since the list was asked for; null while none is. */
  private news: { readonly person: Person; readonly isHere: boolean }[] | null = null;
  /** How many users a crowd has; null while everybody is listed. */
  private counted: number | null = null;

  /** Whether it was ever read: before that it would show the first to be heard of alone. */
  get isRead(): boolean {
    return this.read;
  }

  get people(): readonly Person[] {
    return [...this.known.values()];
  }

  get count(): number {
    return this.counted ?? this.known.size;
  }

  get isCrowd(): boolean {
    return this.counted !== null;
  }

  /** Whether so many clients are too many to list. */
  static isTooMany(clients: number): boolean {
    return clients > LISTED;
  }

  /** The list is asked for. */
  ask(): void {
    this.news = [];
  }

  /** The answer to the last question. */
  fill(people: readonly Person[]): void {
    const news = this.news ?? [];
    this.read = true;
    this.news = null;
    this.counted = null;
    this.known = new Map(people.map((person) => [person.user, person]));
    for (const { person, isHere } of news) this.hear(person, isHere);
  }

  hear(person: Person, isHere: boolean): void {
    this.news?.push({ person, isHere });
    // What comes late to a crowd is in its count.
    if (this.counted !== null) return;
    if (isHere) this.known.set(person.user, person);
    else this.known.delete(person.user);
  }

  /** Take a count. Returns whether few enough are left to ask who they are. */
  takeCount(clients: number, users: number): boolean {
    this.read = true;
    this.counted = users;
    this.known.clear();
    return clients <= LISTED_AGAIN;
  }
}
