/** Every page of a signed-in reader: announcements, browser notifications, a clean sign-out. */

import { AnnouncementBoard } from "./announcements";
import { sessionAccess } from "./api";
import { Banner } from "./banner";
import { SocketConnection } from "./connection";
import { Clock } from "./format";
import { closeMenusWhenLeft } from "./menus";
import { Notifier } from "./notifier";
import { type Page, part, readPage, socketUrl } from "./page";
import { Drawer, emptyDrawers } from "./storage";

const CHANNEL = "announcements:all";

function start(page: Page): void {
  const drawer = new Drawer(() => localStorage, page.userId, "announcements");
  const board = new AnnouncementBoard(
    () => drawer.read(),
    (text) => drawer.write(text),
  );
  const banner = new Banner(new Clock(page.language), (id) => {
    board.dismiss(id);
    banner.draw(board.open);
  });
  const enable = part("#enable-notifications", HTMLButtonElement);
  const notifier = new Notifier(enable, enable.dataset.icon ?? "");
  const connection = new SocketConnection(
    {
      url: socketUrl("/ws/notifications/"),
      channels: [{ name: CHANNEL, parameter: "announcements", types: ["announcement"] }],
      checkAccess: sessionAccess,
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
        banner.draw(board.open);
      },
      // Announcements are no part of what a reader does here: they come back without a word.
      onStatus: () => undefined,
      onError: () => undefined,
    },
  );

  banner.draw(board.open);
  window.addEventListener("storage", (event) => {
    if (!drawer.holds(event.key)) return;
    board.refresh();
    banner.draw(board.open);
  });
  for (const event of ["online", "offline"]) {
    window.addEventListener(event, () => connection.reconnect());
  }
  for (const form of document.querySelectorAll("form[data-signs-out]")) {
    form.addEventListener("submit", () => emptyDrawers([() => localStorage, () => sessionStorage]));
  }
  closeMenusWhenLeft();
  connection.subscribe(CHANNEL, board.position ?? page.announcements);
  connection.connect();
}

const page = readPage();
if (page !== null) start(page);
