/** Every page of a signed-in reader: announcements, browser notifications, a clean sign-out. */

import { AnnouncementBoard } from "./announcements";
import { announcementsPosition, readAnnouncements, sessionAccess } from "./api";
import { Banner } from "./banner";
import { EndpointConnection } from "./endpointconnection";
import { Clock } from "./format";
import { keepAlive } from "./keepalive";
import { positionsOf } from "./lifecheck";
import { closeMenusWhenLeft } from "./menus";
import { Notifier } from "./notifier";
import { connectionUrl, type Page, part, readPage } from "./page";
import { Refill } from "./refill";
import { Cabinet, lockOnSignOut } from "./storage";

const CHANNEL = "announcements:all";
/** Announcements are rare, and every page waits for them: it asks after them seldom. */
const QUIET_MS = 5 * 60_000;

function start(page: Page): void {
  const cabinet = new Cabinet(page.userId);
  const drawer = cabinet.drawer("local", "announcements");
  const board = new AnnouncementBoard(
    () => drawer.read(),
    (text) => drawer.write(text),
  );
  const banner = new Banner(new Clock(page.language), (id) => {
    board.dismiss(id);
    banner.draw(board.open);
  });
  const refill = new Refill(board, readAnnouncements, () => banner.draw(board.open));
  const enable = part("#enable-notifications", HTMLButtonElement);
  const notifier = new Notifier(enable, enable.dataset.icon ?? "");
  const connection = new EndpointConnection(
    {
      url: connectionUrl("/ws/notifications/"),
      channels: [{ name: CHANNEL, parameter: "announcements", types: ["announcement"] }],
      checkAccess: sessionAccess,
      readPositions: async () => positionsOf(CHANNEL, await announcementsPosition()),
    },
    {
      onPublication: (channel, publication) => {
        if (publication.type !== "announcement") return;
        if (board.add(publication, connection.position(channel))) {
          notifier.notify("Carillon", publication.message, `announcement-${publication.id}`);
        }
        banner.draw(board.open);
      },
      onReset: (channel) => {
        board.reset(connection.position(channel));
        void refill.start();
      },
      // Announcements are no part of what a reader does here: they come back without a word.
      onStatus: (status) => {
        if (status.state !== "refused") return;
        refill.stop();
        if (status.refusal.cause === "signed-out") cabinet.lock();
      },
      onError: () => undefined,
    },
  );

  banner.draw(board.open);
  window.addEventListener("storage", (event) => {
    if (!drawer.holds(event.key)) return;
    board.refresh();
    banner.draw(board.open);
  });
  lockOnSignOut(cabinet);
  closeMenusWhenLeft();
  connection.subscribe(CHANNEL, board.position ?? page.announcements);
  connection.connect();
  keepAlive(connection, QUIET_MS);
}

const page = readPage();
if (page !== null) start(page);
