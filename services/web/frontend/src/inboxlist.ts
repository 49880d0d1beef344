import {
  type Change,
  type NotificationState,
  readNotification,
  type WireNotification,
} from "./wirenotification";

/** A notification with how it stands. */
export interface InboxItem extends WireNotification {
  readonly unread: boolean;
  readonly archived: boolean;
}

export type InboxView = "all" | "unread" | "archived";

export interface InboxFilter {
  readonly view: InboxView;
  /** Empty for all of them. */
  readonly category: string;
}

/** Changes remembered for notifications that are on their way. */
const REMEMBERED = 500;

/**
 * The notifications of one page of the inbox, newest first, each there once, whichever way and
 * however often it came.
 */
export class InboxList {
  private readonly known = new Map<number, InboxItem>();
  /** A change may be known before the notification that it is about. */
  private readonly changed = new Map<number, NotificationState>();
  /** What came while the page is being read again, in its order; null when it is not. */
  private meanwhile: (WireNotification | Change)[] | null = null;

  constructor(readonly filter: InboxFilter) {}

  /** What the page shows. */
  get shown(): readonly InboxItem[] {
    return [...this.known.values()].filter((item) => this.fits(item)).sort((a, b) => b.id - a.id);
  }

  /** What is known may no longer be so: `fill` tells what there is. */
  expire(): void {
    this.meanwhile = [];
  }

  /** Begin with what the server gave; of the rest, only what came since `expire` stays. */
  fill(items: readonly InboxItem[]): void {
    const meanwhile = this.meanwhile ?? [];
    this.meanwhile = null;
    this.known.clear();
    this.changed.clear();
    for (const item of items) this.known.set(item.id, item);
    for (const each of meanwhile) {
      if ("state" in each) this.apply(each);
      else this.add(each);
    }
  }

  /** Put in a new one. Returns whether the page shows it now and did not before. */
  add(notification: WireNotification): boolean {
    this.meanwhile?.push(notification);
    if (this.known.has(notification.id)) return false;
    const fresh = { ...notification, unread: true, archived: false };
    const state = this.changed.get(notification.id);
    const item = state === undefined ? fresh : changedTo(fresh, state);
    this.known.set(item.id, item);
    return this.fits(item);
  }

  /**
   * Returns whether the page knows what to show after it: not so when notifications that it does
   * not have come into its view.
   */
  apply(change: Change): boolean {
    const { state, ids } = change;
    if (state === "seen") return true;
    this.meanwhile?.push(change);
    const wanted = ids === "all" ? [...this.known.keys()] : ids;
    let complete = true;
    for (const id of wanted) {
      const item = this.known.get(id);
      if (item === undefined) {
        this.remember(id, state);
        complete &&= !this.mayBringIn(state);
      } else {
        this.known.set(id, changedTo(item, state));
      }
    }
    return complete;
  }

  private remember(id: number, state: NotificationState): void {
    this.changed.set(id, state);
    const [oldest] = this.changed.keys();
    if (this.changed.size > REMEMBERED && oldest !== undefined) this.changed.delete(oldest);
  }

  private mayBringIn(state: NotificationState): boolean {
    switch (this.filter.view) {
      case "archived":
        return state === "archived";
      case "unread":
        return state === "unread" || state === "unarchived";
      default:
        return state === "unarchived";
    }
  }

  private fits(item: InboxItem): boolean {
    const { view, category } = this.filter;
    if (category !== "" && item.category !== category) return false;
    if (view === "archived") return item.archived;
    return !item.archived && (view === "all" || item.unread);
  }
}

function changedTo(item: InboxItem, state: NotificationState): InboxItem {
  switch (state) {
    case "read":
      return { ...item, unread: false };
    case "unread":
      return { ...item, unread: true };
    case "archived":
      return { ...item, archived: true };
    case "unarchived":
      return { ...item, archived: false };
    default:
      return item;
  }
}

/** Read one notification as the page and the API write it; null when it is not one. */
export function readItem(value: unknown): InboxItem | null {
  const notification = readNotification(value);
  if (notification === null) return null;
  const { read, archived } = value as Record<string, unknown>;
  return { ...notification, unread: read !== true, archived: archived === true };
}

export function readFilter({ view, category }: Readonly<Record<string, unknown>>): InboxFilter {
  return {
    view: view === "unread" || view === "archived" ? view : "all",
    category: typeof category === "string" ? category : "",
  };
}
