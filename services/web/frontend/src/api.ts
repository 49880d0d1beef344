import { type Announcement, readAnnouncements } from "./announcements";
import { type InboxFilter, type InboxItem, readItem } from "./inboxlist";
import { type Position, parsePosition } from "./position";
import { readCount } from "./wirefields";
import { type JobFrame, readJob } from "./wirejob";
import { readMessage, type WireMessage } from "./wiremessage";

/** The server's one error shape, or a request that never got an answer (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export interface HistoryPage {
  /** Oldest first. */
  readonly messages: readonly WireMessage[];
  readonly more: boolean;
}

export interface InboxPage {
  /** Newest first. */
  readonly items: readonly InboxItem[];
  /** The server's count; null when it gave none. */
  readonly unread: number | null;
  /** Where the reader's channel stood before the items were read. */
  readonly position: Position | null;
  /** Before which id the next page begins; null when there is none. */
  readonly next: number | null;
}

export type InboxVerb = "read" | "unread" | "archive" | "unarchive";

const ANNOUNCEMENTS = "/api/v1/announcements";
const NOTIFICATIONS = "/api/v1/notifications";
/** The least that tells how an inbox stands. */
const NEWEST_NOTIFICATION = `${NOTIFICATIONS}?limit=1`;
const TIMEOUT_MS = 15_000;

async function call(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, {
      ...init,
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new ApiError(0, "The server cannot be reached. Check your connection and try again.");
  }
  if (response.ok) return response;
  throw new ApiError(response.status, await errorMessage(response));
}

async function errorMessage(response: Response): Promise<string> {
  try {
    const body = (await response.json()) as { error?: { message?: unknown } } | null;
    if (typeof body?.error?.message === "string") return body.error.message;
  } catch {
    // A proxy's own page instead of ours: the status has to do.
  }
  return `The server answered with an error (${response.status}). Try again in a moment.`;
}

function messagesPath(room: string): string {
  return `/api/v1/rooms/${encodeURIComponent(room)}/messages`;
}

export async function readHistory(
  room: string,
  before: number | null,
  limit: number,
): Promise<HistoryPage> {
  const query = new URLSearchParams({ limit: String(limit) });
  if (before !== null) query.set("before", String(before));
  const response = await call(`${messagesPath(room)}?${query}`);
  const body = (await response.json()) as { messages?: unknown; more?: unknown };
  const rows = Array.isArray(body.messages) ? body.messages : [];
  return {
    messages: rows.map(readMessage).filter((message) => message !== null),
    more: body.more === true,
  };
}

/** The announcements that the reader has not dismissed, the oldest first. */
export async function openAnnouncements(): Promise<readonly Announcement[]> {
  const response = await call(ANNOUNCEMENTS);
  const body = (await response.json()) as { announcements?: unknown };
  return readAnnouncements(body.announcements);
}

async function post(path: string, csrfToken: string, body?: unknown): Promise<Response> {
  const headers = { "X-CSRFToken": csrfToken };
  if (body === undefined) return call(path, { method: "POST", headers });
  return call(path, {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

/** Dismiss an announcement on all of the reader's devices. */
export async function seeAnnouncement(id: number, csrfToken: string): Promise<void> {
  await post(`${ANNOUNCEMENTS}/${id}/seen`, csrfToken);
}

/** A page of the inbox as a filter shows it, the newest unless it begins before an id. */
export async function readInbox(
  { view, category }: InboxFilter,
  before: number | null,
  limit: number,
): Promise<InboxPage> {
  const query = new URLSearchParams({ view, limit: String(limit) });
  if (category !== "") query.set("category", category);
  if (before !== null) query.set("before", String(before));
  return inboxPage(await call(`${NOTIFICATIONS}?${query}`));
}

/** How many are unread, and from where on the number may change. */
export async function readUnread(): Promise<InboxPage> {
  return inboxPage(await call(NEWEST_NOTIFICATION));
}

async function inboxPage(response: Response): Promise<InboxPage> {
  const body = (await response.json()) as Readonly<Record<string, unknown>>;
  const rows = Array.isArray(body.notifications) ? body.notifications : [];
  return {
    items: rows.map(readItem).filter((item) => item !== null),
    unread: readCount(body.unread),
    position: parsePosition(body.position),
    next: readCount(body.next),
  };
}

/** Change the state of notifications. Returns the server's count after it. */
export async function changeNotifications(
  verb: InboxVerb,
  ids: readonly number[] | "all",
  csrfToken: string,
): Promise<number | null> {
  const body = ids === "all" ? { all: true } : { ids };
  const response = await post(`${NOTIFICATIONS}/${verb}`, csrfToken, body);
  return readCount(((await response.json()) as { unread?: unknown }).unread);
}

/** The reader looks at the inbox: what is in it has been noticed. */
export async function noticeNotifications(csrfToken: string): Promise<void> {
  await post(`${NOTIFICATIONS}/seen`, csrfToken);
}

export async function deleteMessage(room: string, id: number, csrfToken: string): Promise<void> {
  await call(`${messagesPath(room)}/${id}`, {
    method: "DELETE",
    headers: { "X-CSRFToken": csrfToken },
  });
}

/** How a bulk job stands; null when the server says nothing that this page knows. */
export async function readBulkJob(id: number): Promise<JobFrame | null> {
  return readJob(await (await call(`/api/v1/bulk-jobs/${id}`)).json());
}

/** Whether the reader is signed in; null when nobody can tell just now. */
export async function isSignedIn(): Promise<boolean | null> {
  try {
    await call("/api/v1/session");
    return true;
  } catch (error) {
    return error instanceof ApiError && error.status === 401 ? false : null;
  }
}
