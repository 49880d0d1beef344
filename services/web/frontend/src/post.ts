/** The pages of posts: comments that come live below one, and a hint at new ones in the feed. */

import { Backoff } from "./backoff";
import { CommentList } from "./commentlist";
import { CommentLog } from "./commentlog";
import type { Connection, Status, Subscription } from "./connection";
import { whenConnecting } from "./events";
import { Clock } from "./format";
import { hintAtNewPosts } from "./newposts";
import { type Page, part, readPage } from "./page";
import { type PostData, readPost, readPostData } from "./postpage";
import { StatusLine } from "./statusline";
import type { Publication } from "./wire";

const DELETED = "This post was deleted.";

class PostPage {
  private readonly path = location.pathname;
  private readonly list: CommentList;
  private readonly log: CommentLog;
  private readonly statusLine = new StatusLine();
  private subscription: Subscription | null = null;
  private readonly backoff = new Backoff();
  /** A later reset makes an answer under way worthless. */
  private round = 0;
  private deleted = false;

  constructor(
    page: Page,
    private readonly post: PostData,
  ) {
    this.list = new CommentList(
      new Clock(page.language),
      ({ username }) => post.moderates || username === page.username,
    );
    this.log = new CommentLog(this.list.ids);
  }

  start(connection: Connection): void {
    part("#connection-state", HTMLElement).hidden = false;
    this.list.drawTimes();
    this.subscription = connection.subscribe(this.post.channel, this.post.position, {
      onPublication: (publication) => this.receive(publication),
      onReset: () => void this.reread(),
      onStatus: (status) => this.onStatus(status),
    });
    // What is said here is seen here: no word in the corner.
    document.addEventListener("carillon:notification", (event) => {
      if (event.detail.notification.url.startsWith(this.path)) event.preventDefault();
    });
  }

  private receive(publication: Publication): void {
    if (publication.type === "comment") {
      if (this.log.add(publication.comment)) this.list.append(publication.comment);
    } else if (publication.type === "comment_deleted") {
      if (this.log.remove(publication.id)) this.list.remove(publication.id);
    } else if (publication.type === "post_deleted") {
      this.onDeleted();
    }
  }

  private onStatus(status: Status): void {
    if (this.deleted) return;
    if (status.state === "refused") {
      this.round += 1;
      if (status.refusal.cause === "no-access") {
        this.onDeleted();
        return;
      }
    }
    this.statusLine.draw(status);
  }

  /** The page stays as it is, for whoever is reading it; nothing more comes. */
  private onDeleted(): void {
    if (this.deleted) return;
    this.deleted = true;
    this.round += 1;
    this.subscription?.end();
    const refusal = { cause: "no-access", message: DELETED } as const;
    this.statusLine.draw({ state: "refused", refusal });
    for (const form of document.querySelectorAll<HTMLElement>("#comment-form, .delete-menu")) {
      form.hidden = true;
    }
  }

  /** Read the comments again: what happened meanwhile cannot be told one by one. */
  private async reread(): Promise<void> {
    this.round += 1;
    const round = this.round;
    this.log.expire();
    while (round === this.round) {
      try {
        const page = await readPost(this.path);
        if (round !== this.round) return;
        this.list.replace(page);
        const { gone, fresh } = this.log.renew(this.list.ids);
        for (const id of gone) this.list.remove(id);
        for (const comment of fresh) this.list.append(comment);
        this.backoff.reset();
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, this.backoff.next()));
      }
    }
  }
}

const page = readPage();
const post = readPostData(document);
if (page !== null && post !== null) {
  const postPage = new PostPage(page, post);
  whenConnecting((connection) => postPage.start(connection));
} else if (document.querySelector("#new-posts") !== null) hintAtNewPosts();
