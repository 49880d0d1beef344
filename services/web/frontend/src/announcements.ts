import { formatPosition, type Position, parsePosition } from "./position";
import type { AnnouncementFrame } from "./wire";

export interface Announcement {
  readonly id: number;
  readonly message: string;
  readonly timestamp: string;
}

/** More than these at once nobody reads. */
const SHOWN = 3;
/** The server gives no more than twenty to read again. */
const DISMISSED = 20;

/**
 * The announcements that a reader has not dismissed, shared by all their tabs through text in the
 * browser's storage. The position is kept with them: what is announced between two visits, or
 * while a page loads, is there on the next page.
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
    this.open = Array.isArray(open) ? open.filter(isAnnouncement) : [];
    this.position = typeof position === "string" ? parsePosition(position) : null;
    this.newestId = typeof newestId === "number" ? newestId : 0;
    this.dismissed = Array.isArray(dismissed) ? dismissed.map(String) : [];
  }

  /** Returns whether this is news: another tab, or an earlier connection, may have had it. */
  add(frame: AnnouncementFrame, position: Position | null): boolean {
    this.refresh();
    const { id, message, timestamp } = frame;
    const announcement = { id, message, timestamp };
    const isNews = id > this.newestId && !this.dismissed.includes(nameOf(announcement));
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
    const gone = new Set(this.dismissed);
    this.open = all.filter((announcement) => !gone.has(nameOf(announcement))).slice(-SHOWN);
    this.newestId = Math.max(0, ...all.map(({ id }) => id));
    this.store();
  }

  private store(): void {
    const { open, newestId, dismissed } = this;
    const position = this.position === null ? null : formatPosition(this.position);
    this.save(JSON.stringify({ open, newestId, dismissed, position }));
  }
}

function nameOf({ id, timestamp }: Announcement): string {
  return `${id} ${timestamp}`;
}

export function isAnnouncement(value: unknown): value is Announcement {
  const { id, message, timestamp } = (value ?? {}) as Partial<Announcement>;
  return typeof id === "number" && typeof message === "string" && typeof timestamp === "string";
}
