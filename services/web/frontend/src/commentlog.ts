import type { WireComment } from "./wirecomment";

/**
 * Which comments a post's page shows: each once, however often and whichever way it came, and
 * none after it was deleted.
 */
export class CommentLog {
  private readonly shown: Set<number>;
  /** Deletions outlive what they delete: an older page that is under way may still hold it. */
  private readonly deleted = new Set<number>();
  /** What came while the comments are being read again; null when they are not. */
  private arrived: WireComment[] | null = null;

  constructor(shown: Iterable<number>) {
    this.shown = new Set(shown);
  }

  get isEmpty(): boolean {
    return this.shown.size === 0;
  }

  /** Returns whether the comment is to be put on the page. */
  add(comment: WireComment): boolean {
    this.arrived?.push(comment);
    return this.show(comment.id);
  }

  /** Returns whether the comment was on the page. */
  remove(id: number): boolean {
    this.deleted.add(id);
    return this.shown.delete(id);
  }

  /** What is known may no longer be so: `renew` tells what there is. */
  expire(): void {
    this.deleted.clear();
    this.arrived = [];
  }

  /**
   * Take over which comments a page read after `expire` has. Returns what to change about it: the
   * ids that were deleted meanwhile, and the comments that came meanwhile.
   */
  renew(ids: readonly number[]): { gone: readonly number[]; fresh: readonly WireComment[] } {
    const arrived = this.arrived ?? [];
    this.arrived = null;
    this.shown.clear();
    const gone = ids.filter((id) => !this.show(id));
    return { gone, fresh: arrived.filter(({ id }) => this.show(id)) };
  }

  private show(id: number): boolean {
    if (this.shown.has(id) || this.deleted.has(id)) return false;
    this.shown.add(id);
    return true;
  }
}
