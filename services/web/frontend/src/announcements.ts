import { formatPosition, type Position, parsePosition } from "./position";
import type { AnnouncementFrame } from "./wire";

export interface Announcement {
  readonly id: number;
  readonly message: string;
  readonly timestamp: string;
  /** Until when it is shown; null for as long as the server tells it. */
  readonly expiresAt: string | null;
}

/** More than these at once nobody reads. */
const SHOWN = 3;
/** The server gives no more than twenty to read again. */
const DISMISSED = 20;

/**
 * The announcements that a reader has not dismissed, shared by all their tabs through text in the
 * browser's storage. The server knows which were dismissed, on whatever device; the storage bridges
 * the time until it does.
 */
export class AnnouncementBoard {
  open: readonly Announcement[] = [];
  position: Position | null = null;
  private newestId = 0;
  /** Ids alone would not do: after the log was replaced they may begin anew. */
  private dismissed: readonly string[] = [];
  /** What came while the announcements are being read again. */
  private arrived: readonly Announcement[] = [];

  constructor(
    private readonly load: () => string | null,
    private readonly save: (text: string) => void,
    private readonly now: () => number = Date.now,
  ) {
    this.refresh();
  }

  /** Take over what another tab has stored. */
  refresh(): void {
    let stored: unknown;
    try {
      stored = JSON.parse(this.load() ?? "null");
    } catch {
      return;
    }
    if (typeof stored !== "object" || stored === null) return;
    const { open, position, newestId, dismissed } = stored as Record<string, unknown>;
    this.open = readAnnouncements(open).filter((each) => this.isAlive(each));
    this.position = parsePosition(position);
    this.newestId = typeof newestId === "number" ? newestId : 0;
    this.dismissed = Array.isArray(dismissed) ? dismissed.map(String) : [];
  }

  /**
   * Begin a page with what the server wrote into it. A tab that has heard more since then, and
   * shares this storage, knows better.
   */
  begin(announcements: readonly Announcement[], position: Position | null): void {
    const stored = this.position;
    const isBehind =
      stored !== null && stored.epoch === position?.epoch && position.offset < stored.offset;
    if (isBehind) return;
    this.position = position;
    this.arrived = [];
    this.fill(announcements);
  }

  /** Whether the reader has dismissed it here: the server may not have heard of it. */
  wasDismissed(announcement: Announcement): boolean {
    return this.dismissed.includes(nameOf(announcement));
  }

  /** When the next of those that are shown expires, in milliseconds since 1970. */
  get nextExpiry(): number | null {
    const times = this.open.map(expiryOf).filter(Number.isFinite);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** Put away what has expired. */
  expire(): void {
    this.refresh();
    this.store();
  }

  /** Returns whether this is news: another tab, or an earlier connection, may have had it. */
  add(frame: AnnouncementFrame, position: Position | null): boolean {
    this.refresh();
    const { id, message, timestamp, expiresAt } = frame;
    const announcement = { id, message, timestamp, expiresAt };
    const isNews =
      id > this.newestId && !this.wasDismissed(announcement) && this.isAlive(announcement);
    if (isNews) {
      this.open = [...this.open, announcement].slice(-SHOWN);
      this.newestId = id;
    }
    this.arrived = [...this.arrived, announcement].slice(-SHOWN);
    this.position = position;
    this.store();
    return isNews;
  }

  dismiss(id: number): void {
    this.refresh();
    const names = this.open.filter((announcement) => announcement.id === id).map(nameOf);
    this.dismissed = [...this.dismissed, ...names].slice(-DISMISSED);
    this.open = this.open.filter((announcement) => announcement.id !== id);
    this.store();
  }

  /** Nothing known is certain, and ids may begin anew: `fill` tells what there is now. */
  reset(position: Position | null): void {
    this.refresh();
    this.newestId = 0;
    this.position = position;
    this.arrived = [];
    this.store();
  }

  /** Take over what was read after a reset, the oldest first; what was dismissed stays away. */
  fill(announcements: readonly Announcement[]): void {
    this.refresh();
    const known = new Set(announcements.map(nameOf));
    const all = [...announcements, ...this.arrived.filter((each) => !known.has(nameOf(each)))];
    this.open = all.filter((each) => !this.wasDismissed(each) && this.isAlive(each)).slice(-SHOWN);
    this.newestId = Math.max(0, ...all.map(({ id }) => id));
    this.store();
  }

  private isAlive(announcement: Announcement): boolean {
    return expiryOf(announcement) > this.now();
  }

  private store(): void {
    const { newestId, dismissed } = this;
    const open = this.open.map(({ expiresAt, ...rest }) => ({ ...rest, expires_at: expiresAt }));
    const position = this.position === null ? null : formatPosition(this.position);
    this.save(JSON.stringify({ open, newestId, dismissed, position }));
  }
}

function nameOf({ id, timestamp }: Announcement): string {
  return `${id} ${timestamp}`;
}

/** Read announcements as the server writes them; what is none is left out. */
export function readAnnouncements(value: unknown): readonly Announcement[] {
  return Array.isArray(value) ? value.map(readAnnouncement).filter((each) => each !== null) : [];
}

function readAnnouncement(value: unknown): Announcement | null {
  const { id, message, timestamp, expires_at } = (value ?? {}) as Record<string, unknown>;
  if (typeof id !== "number" || typeof message !== "string" || typeof timestamp !== "string") {
    return null;
  }
  return { id, message, timestamp, expiresAt: typeof expires_at === "string" ? expires_at : null };
}

/** Infinity for what does not expire, or nobody can tell when. */
function expiryOf({ expiresAt }: Announcement): number {
  const time = expiresAt === null ? Number.NaN : Date.parse(expiresAt);
  return Number.isNaN(time) ? Number.POSITIVE_INFINITY : time;
}
