import { ApiError, type HistoryPage, readHistory } from "./api";
import { Backoff } from "./backoff";
import type { MessageList } from "./messages";
import type { WireMessage } from "./wiremessage";

const PAGE = 50;
/** After a reset the history is read in larger steps, and no further back than this. */
const REREAD_PAGE = 200;
const REREAD_LIMIT = 1_000;

export interface HistoryEvents {
  /** The messages changed. */
  onMessages(): void;
  /** How the older messages stand: whether there are more, being fetched, or failed. */
  onOlder(more: boolean, loading: boolean, problem: string | null): void;
}

type Read = (before: number | null, limit: number) => Promise<HistoryPage>;

/** Reads a room's messages over HTTP: older ones on demand, and all again after a reset. */
export class History {
  private loading = false;
  private rereading = false;
  private again = false;
  private stopped = false;

  constructor(
    private readonly messages: MessageList,
    private more: boolean,
    private readonly events: HistoryEvents,
    private readonly read: Read,
    private readonly backoff = new Backoff(),
  ) {}

  /** The oldest messages were forgotten, and can be read again. */
  forgot(): void {
    this.more = true;
    this.events.onOlder(true, this.loading, null);
  }

  /** No more attempts: the server has refused this reader. */
  stop(): void {
    this.stopped = true;
  }

  /** Fetch one page of older messages. Returns whether there was something to fetch. */
  async loadOlder(): Promise<boolean> {
    if (!this.more || this.loading || this.rereading) return false;
    this.loading = true;
    this.events.onOlder(true, true, null);
    let problem: string | null = null;
    try {
      const page = await this.read(this.messages.oldestId, PAGE);
      this.messages.add(page.messages);
      this.more = page.more;
      this.events.onMessages();
    } catch (error) {
      problem = words(error);
    }
    this.loading = false;
    this.events.onOlder(this.more, false, problem);
    return problem === null;
  }

  /** Fetch older messages until one is there. Returns whether it is: it may be too far back. */
  async reach(id: number): Promise<boolean> {
    const isOlder = () => id < (this.messages.oldestId ?? 0);
    while (isOlder() && this.messages.all.length < REREAD_LIMIT) {
      if (!(await this.loadOlder())) break;
    }
    return this.messages.has(id);
  }

  /** Read again what the page shows: what happened meanwhile cannot be told one by one. */
  async reread(): Promise<void> {
    this.messages.expire();
    this.again = this.rereading;
    if (this.rereading) return;
    this.rereading = true;
    const oldest = this.messages.oldestId ?? 0;
    while (!this.stopped) {
      try {
        const history = await this.readBackTo(oldest);
        if (!this.again) {
          this.messages.renew(history);
          break;
        }
        // Reset once more while the answer was on its way: it is of no use.
        this.again = false;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, this.backoff.next()));
      }
    }
    this.backoff.reset();
    this.rereading = false;
    this.events.onOlder(this.more, this.loading, null);
    this.events.onMessages();
  }

  private async readBackTo(oldest: number): Promise<readonly WireMessage[]> {
    let history: readonly WireMessage[] = [];
    let before: number | null = null;
    do {
      const page = await this.read(before, REREAD_PAGE);
      history = [...page.messages, ...history];
      this.more = page.more;
      before = history[0]?.id ?? null;
    } while (this.more && before !== null && before > oldest && history.length < REREAD_LIMIT);
    return history;
  }
}

export function roomReader(room: string): Read {
  return (before, limit) => readHistory(room, before, limit);
}

/** What went wrong, in words for the reader. */
export function words(error: unknown): string {
  return error instanceof ApiError ? error.message : "Reload the page and try again.";
}
