import { part } from "./page";
import type { NotificationFrame } from "./wire";

const KIND = "posts.new_post";

/** Counts the posts that the page does not show; a notification may come twice. */
export class NewPosts {
  private readonly ids = new Set<number>();

  /** Returns whether the notification is about a post. */
  add({ notification }: Pick<NotificationFrame, "notification">): boolean {
    if (notification.kind !== KIND) return false;
    this.ids.add(notification.id);
    return true;
  }

  get label(): string {
    return this.ids.size === 1 ? "1 new post" : `${this.ids.size} new posts`;
  }
}

/** On the feed: a link to the newest posts, instead of a word in the corner for each. */
export function hintAtNewPosts(): void {
  const link = part("#new-posts", HTMLAnchorElement);
  const posts = new NewPosts();
  document.addEventListener("carillon:notification", (event) => {
    if (!posts.add(event.detail)) return;
    event.preventDefault();
    link.textContent = posts.label;
    link.hidden = false;
  });
}
