import { formatPosition, type Position, parsePosition } from "./position";
import type { AnnouncementFrame } from "./wire";

export interface Announcement {
  readonly id: number;
  readonly message: string;
  readonly timestamp: string;
}

/** More than these at once nobody reads. */
const SHOWN = 3;

/**
 * The announcements that a reader has not dismissed, shared by all their tabs through text in the
 * browser's storage. The position is kept with them: what is announced between two visits, or
 * while a page loads, is there on the next page.
 */
export class AnnouncementBoard {
  open: readonly Announcement[] = [];
  position: Position | null = null;
  private newestId = 0;

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
    const { open, position, newestId } = stored as Record<string, unknown>;
    this.open = Array.isArray(open) ? open.filter(isAnnouncement) : [];
    this.position = typeof position === "string" ? parsePosition(position) : null;
    this.newestId = typeof newestId === "number" ? newestId : 0;
  }

  /** Returns whether this is news: another tab, or an earlier connection, may have had it. */
  add(frame: AnnouncementFrame, position: Position | null): boolean {
    this.refresh();
    const isNews = frame.id > this.newestId;
    if (isNews) {
      const { id, message, timestamp } = frame;
      this.open = [...this.open, { id, message, timestamp }].slice(-SHOWN);
      this.newestId = frame.id;
    }
    this.position = position;
    this.store();
    return isNews;
  }

  dismiss(id: number): void {
    this.refresh();
    this.open = this.open.filter((announcement) => announcement.id !== id);
    this.store();
  }

  /** The log was replaced: ids start anew, and nothing known is certain. */
  reset(position: Position | null): void {
    this.open = [];
    this.newestId = 0;
    this.position = position;
    this.store();
  }

  private store(): void {
    const { open, newestId } = this;
    const position = this.position === null ? null : formatPosition(this.position);
    this.save(JSON.stringify({ open, newestId, position }));
  }
}

function isAnnouncement(value: unknown): value is Announcement {
  const { id, message, timestamp } = (value ?? {}) as Partial<Announcement>;
  return typeof id === "number" && typeof message === "string" && typeof timestamp === "string";
}
