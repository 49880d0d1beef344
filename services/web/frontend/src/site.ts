/**
 * Every page of a signed-in reader: the one connection for what is theirs wherever they are, and
 * what it brings: the bell, announcements, browser notifications, and events for the page's own
 * script (`events.ts`).
 */

import { AnnouncementBoard } from "./announcements";
import { isSignedIn, openAnnouncements, readUnread, seeAnnouncement } from "./api";
import { Banner } from "./banner";
import { Bell } from "./bell";
import { endsLogin } from "./closecodes";
import type { Status } from "./connection";
import { tell } from "./events";
import { Clock } from "./format";
import { keepAlive } from "./keepalive";
import { Leadership } from "./leadership";
import { LiveConnection } from "./live";
import { closeMenusWhenLeft } from "./menus";
import { drawMoments } from "./moments";
import { Newsstand } from "./newsstand";
import { Notifier } from "./notifier";
import { connectionUrl, csrfToken, type Page, part, readPage } from "./page";
import type { Position } from "./position";
import { Refill } from "./refill";
import { drawRefusal } from "./refusal";
import { Cabinet, lockOnSignOut } from "./storage";
import { submitOnce } from "./submitonce";
import { UnreadCount } from "./unread";
import type { AnnouncementFrame, Publication } from "./wire";

const ANNOUNCEMENTS = "announcements:all";
/** The longest pause that a browser's timer can hold is 24 days; a day will do. */
const LONGEST_TIMER_MS = 24 * 3_600_000;

class Site {
  private readonly cabinet: Cabinet;
  private readonly clock: Clock;
  private readonly board: AnnouncementBoard;
  private readonly banner: Banner;
  private readonly bell = new Bell();
  private readonly unread: UnreadCount;
  private readonly notifier: Notifier;
  private readonly newsstand: Newsstand;
  private readonly connection: LiveConnection;
  private readonly refillBoard = new Refill(openAnnouncements, (announcements) => {
    this.board.fill(announcements);
    this.drawBoard();
  });
  private readonly refillCount = new Refill(readUnread, ({ unread, position }) => {
    if (this.unread.take(unread, position)) this.drawCount();
  });
  private expiryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly page: Page) {
    this.cabinet = new Cabinet(page.userId);
    const drawer = this.cabinet.drawer("local", "announcements");
    this.board = new AnnouncementBoard(
      () => drawer.read(),
      (text) => drawer.write(text),
    );
    window.addEventListener("storage", (event) => {
      if (!drawer.holds(event.key)) return;
      this.board.refresh();
      this.drawBoard();
    });
    this.clock = new Clock(page.language);
    this.banner = new Banner(this.clock, (id) => this.dismiss(id));
    this.unread = new UnreadCount(page.unread, page.inbox);
    this.notifier = new Notifier(part("link[rel=icon]", HTMLLinkElement).href);
    this.newsstand = new Newsstand(
      this.notifier,
      new Leadership(`carillon:notifier:${page.userId}`),
    );
    this.connection = new LiveConnection(connectionUrl("/connection/websocket"), {
      isSignedIn,
      onStatus: (status) => this.onStatus(status),
    });
    this.connection.follow(ANNOUNCEMENTS, page.announcements, {
      onPublication: (publication) => this.receive(publication),
      onReset: (position) => this.onAnnouncementsReset(position),
    });
    this.connection.follow(`user:${page.userId}`, page.inbox, {
      onPublication: (publication) => this.receive(publication),
      onReset: () => this.onInboxReset(),
    });
  }

  start(): void {
    drawMoments(this.clock);
    this.board.begin(this.page.openAnnouncements, this.page.announcements);
    for (const announcement of this.page.openAnnouncements) {
      // Dismissed here while the server could not be reached.
      if (this.board.wasDismissed(announcement)) this.sendSeen(announcement.id);
    }
    this.drawBoard();
    this.bell.draw(this.unread.value);
    lockOnSignOut(this.cabinet);
    closeMenusWhenLeft();
    submitOnce();
    // What the page's own script subscribes to goes out with the first command.
    tell("carillon:connection", this.connection);
    this.connection.connect();
    keepAlive(this.connection);
  }

  private receive(publication: Publication): void {
    switch (publication.type) {
      case "notification":
        this.newsstand.hear(publication.notification, !tell("carillon:notification", publication));
        if (this.unread.take(publication.unread, publication.position)) this.drawCount();
        return;
      case "unread":
        if (publication.change !== null) this.newsstand.settle(publication.change);
        if (this.unread.take(publication.unread, publication.position)) this.drawCount();
        tell("carillon:unread", publication);
        return;
      case "job":
        tell("carillon:job", publication);
        return;
      case "seen_announcement":
        this.board.dismiss(publication.id);
        this.drawBoard();
        return;
      case "announcement":
        if (this.page.hearsAnnouncements) this.announce(publication);
        return;
      default:
        return;
    }
  }

  private announce(frame: AnnouncementFrame): void {
    if (this.board.add(frame, frame.position) && document.hidden) {
      const tag = `announcement-${frame.id}`;
      this.notifier.notify({ title: "Carillon", body: frame.message, tag });
    }
    this.drawBoard();
  }

  private onAnnouncementsReset(position: Position | null): void {
    this.board.reset(position);
    void this.refillBoard.start();
  }

  private onInboxReset(): void {
    this.newsstand.reset();
    void this.refillCount.start();
    tell("carillon:reset", null);
  }

  /** What comes here comes back without a word; only a refusal is said. */
  private onStatus(status: Status): void {
    if (status.state !== "refused") return;
    this.refillBoard.stop();
    this.refillCount.stop();
    if (endsLogin(status.refusal)) this.cabinet.lock();
    // A page with a status line has a notice of its own, which says the same.
    if (document.querySelector("#connection-notice") !== null) return;
    const notice = part("#site-notice", HTMLElement);
    drawRefusal(notice, status.refusal);
    notice.hidden = false;
  }

  private dismiss(id: number): void {
    this.board.dismiss(id);
    this.drawBoard();
    this.sendSeen(id);
  }

  private sendSeen(id: number): void {
    // The next page sends it again if it must.
    seeAnnouncement(id, csrfToken()).catch(() => undefined);
  }

  private drawBoard(): void {
    this.banner.draw(this.board.open);
    clearTimeout(this.expiryTimer);
    const at = this.board.nextExpiry;
    if (at === null) return;
    const expire = () => {
      this.board.expire();
      this.drawBoard();
    };
    this.expiryTimer = setTimeout(expire, Math.min(at - Date.now(), LONGEST_TIMER_MS));
  }

  private drawCount(): void {
    this.bell.draw(this.unread.value);
  }
}

const page = readPage();
if (page !== null) {
  // By then the page's own script, which hears from this one, has begun to listen.
  document.addEventListener("DOMContentLoaded", () => new Site(page).start());
}
