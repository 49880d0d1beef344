import { type Announcement, readAnnouncements } from "./announcements";
import { type InboxFilter, type InboxItem, readFilter, readItem } from "./inboxlist";
import { type Position, parsePosition } from "./position";
import { readCount } from "./wirefields";
import { readMessage, type WireMessage } from "./wiremessage";

/** What the server wrote into every page of a signed-in reader. */
export interface Page {
  readonly userId: number;
  readonly username: string;
  readonly staff: boolean;
  readonly language: string | undefined;
  /** Where announcements stood, and those that the reader had not dismissed then. */
  readonly announcements: Position | null;
  readonly openAnnouncements: readonly Announcement[];
  /** Whether the reader wants to be told of any. */
  readonly hearsAnnouncements: boolean;
  /** Where the reader's own channel stood, and how many notifications were unread then. */
  readonly inbox: Position | null;
  readonly unread: number;
}

/** What the server wrote into the inbox. */
export interface InboxPageData {
  readonly filter: InboxFilter;
  readonly items: readonly InboxItem[];
  /** Before which id this page begins; null when it begins with the newest. */
  readonly before: number | null;
  readonly limit: number;
  /** Whether some of the reader's notifications were not in an inbox that they looked at. */
  readonly unseen: boolean;
  /** What a category is called, by its key. */
  readonly categories: ReadonlyMap<string, string>;
}

/** What the server wrote into a room's page. */
export interface RoomPage {
  readonly name: string;
  readonly channel: string;
  /** The channel in which it is told who is typing. */
  readonly typing: string;
  /** Read before the messages were: the connection starts here and nothing lies between. */
  readonly position: Position | null;
  readonly messages: readonly WireMessage[];
  readonly more: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

/** What the server wrote into a page as data, by the id of its element. */
export function readJson(id: string, from: Document = document): Fields | null {
  const source = from.getElementById(id)?.textContent;
  return source ? (JSON.parse(source) as Fields) : null;
}

const filled = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

export function readPage(): Page | null {
  const data = readJson("page-data");
  if (data === null) return null;
  return {
    userId: Number(data.user_id),
    username: String(data.username),
    staff: data.staff === true,
    language: filled(data.language),
    announcements: parsePosition(data.announcements),
    openAnnouncements: readAnnouncements(data.open_announcements),
    hearsAnnouncements: data.hears_announcements !== false,
    inbox: parsePosition(data.inbox),
    unread: readCount(data.unread) ?? 0,
  };
}

export function readInboxPage(): InboxPageData | null {
  const data = readJson("inbox-data");
  if (data === null) return null;
  const rows = Array.isArray(data.notifications) ? data.notifications : [];
  return {
    filter: readFilter(data),
    items: rows.map(readItem).filter((item) => item !== null),
    before: readCount(data.before),
    limit: readCount(data.limit) ?? rows.length,
    unseen: data.unseen === true,
    categories: new Map(
      Object.entries(data.categories ?? {}).map(([key, label]) => [key, String(label)]),
    ),
  };
}

export function readRoomPage(): RoomPage | null {
  const data = readJson("room-data");
  if (data === null) return null;
  const rows = Array.isArray(data.messages) ? data.messages : [];
  return {
    name: String(data.name),
    channel: String(data.channel),
    typing: String(data.typing),
    position: parsePosition(data.position),
    messages: rows.map(readMessage).filter((message) => message !== null),
    more: data.more === true,
  };
}

/** The token that Django wrote into the page's forms. */
export function csrfToken(): string {
  return document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]")?.value ?? "";
}

/** The address of a WebSocket of this site: the page's scheme decides between ws and wss. */
export function connectionUrl(path: string): string {
  const url = new URL(path, location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** An element that this page's template promises. */
export function part<T extends Element>(selector: string, kind: new () => T): T {
  const element = document.querySelector(selector);
  if (element instanceof kind) return element;
  throw new Error(`The page has no ${selector}: its template and this script do not fit.`);
}
