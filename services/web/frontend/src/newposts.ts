import { part } from "./page";
import type { NotificationFrame } from "./wire";

const KIND = "posts.new_post";

/** Counts the posts that the page does not show; a notification may come twice. */
export class NewPosts {
  private readonly ids = new Set<number>();

  constructor(private readonly isShown: (url: string) => boolean) {}

  /** Returns whether the notification is about a post. */
  add({ notification }: Pick<NotificationFrame, "notification">): boolean {
    if (notification.kind !== KIND) return false;
    if (!this.isShown(notification.url)) this.ids.add(notification.id);
    return true;
  }

  get count(): number {
    return this.ids.size;
  }

  get label(): string {
    return this.ids.size === 1 ? "1 new post" : `${this.ids.size} new posts`;
  }
}

/** On the feed: a link to the newest posts, instead of a word in the corner for each. */
export function hintAtNewPosts(): void {
  const link = part("#new-posts", HTMLAnchorElement);
  // What came while the page was made is in it and comes again.
  const posts = new NewPosts(
    (url) => document.querySelector(`.post-card h2 a[href="${CSS.escape(url)}"]`) !== null,
  );
  document.addEventListener("carillon:notification", (event) => {
    if (!posts.add(event.detail)) return;
    event.preventDefault();
    link.textContent = posts.label;
    link.hidden = posts.count === 0;
  });
}
