/** The page of one room: puts messages, delivery, connection and the parts on screen together. */

import { deleteMessage } from "./api";
import { Attendance } from "./attendance";
import { endsLogin } from "./closecodes";
import { Composer } from "./composer";
import { confirmed } from "./confirm";
import { CommandError, type Connection, type Status, type Subscription } from "./connection";
import { conversation } from "./conversation";
import { Delivery } from "./delivery";
import { whenConnecting } from "./events";
import { Clock } from "./format";
import { History, roomReader, words } from "./history";
import { linkedMessage } from "./message";
import { MessageList } from "./messages";
import { csrfToken, type Page, part, type RoomPage, readPage, readRoomPage } from "./page";
import { PeopleMenu } from "./peoplemenu";
import type { Position } from "./position";
import type { Roster } from "./roster";
import { StatusLine } from "./statusline";
import { Cabinet, lockOnSignOut } from "./storage";
import { Timeline } from "./timeline";
import { TypingLine } from "./typingline";
import type { Publication } from "./wire";
import { isFields, isId, text } from "./wirefields";

/** A page left open for days stays light. */
const KEEP = 2_000;
const TICK_MS = 250;
const PROBLEM_SHOWN_MS = 8_000;
const HIDDEN_DRAW_MS = 200;

class Room {
  private readonly messages = new MessageList();
  private readonly cabinet: Cabinet;
  private readonly delivery: Delivery;
  private readonly history: History;
  private readonly clock: Clock;
  private readonly timeline: Timeline;
  private readonly composer: Composer;
  private readonly statusLine = new StatusLine();
  private readonly problem = part("#room-problem", HTMLElement);
  private readonly attendance: Attendance;
  private readonly people: PeopleMenu;
  private readonly typing: TypingLine;
  private readonly subscription: Subscription;
  private drawPlanned = false;

  constructor(
    private readonly page: Page,
    private readonly room: RoomPage,
    private readonly connection: Connection,
  ) {
    this.clock = new Clock(page.language);
    this.cabinet = new Cabinet(page.userId);
    this.messages.add(room.messages);
    this.history = new History(
      this.messages,
      room.more,
      {
        onMessages: () => this.onHistory(),
        onOlder: (more, loading, problem) => this.timeline.drawOlder(more, loading, problem),
      },
      roomReader(room.name),
    );
    this.delivery = new Delivery(
      {
        position: () => this.subscription.position,
        send: (text, clientId) => this.store(text, clientId),
        restart: () => connection.restart(),
      },
      this.cabinet.drawer("session", `unsent:${room.name}`),
      page.username,
      () => this.planDraw(),
    );
    this.people = new PeopleMenu(page, page.language);
    this.typing = new TypingLine(connection, room.typing, page.username);
    this.attendance = new Attendance(
      () => this.subscription,
      (roster) => this.onRoster(roster),
    );
    this.timeline = new Timeline(
      this.clock,
      {
        retry: (clientId) => this.delivery.retry(clientId),
        discard: (clientId) => this.discard(clientId),
        remove: (id) => void this.remove(id),
      },
      () => void this.loadOlder(),
    );
    const draft = this.cabinet.drawer("local", `draft:${room.name}`);
    this.composer = new Composer(
      draft,
      (text) => this.send(text),
      () => this.typing.tell(),
    );
    this.subscription = connection.subscribe(room.channel, room.position, {
      onPublication: (publication) => this.receive(publication),
      onReset: () => void this.history.reread(),
      onStatus: (status) => this.onStatus(status),
      onPerson: (person, isHere) => this.attendance.hear(person, isHere),
    });
  }

  start(): void {
    this.onHistory();
    this.timeline.drawOlder(this.room.more, false, null);
    lockOnSignOut(this.cabinet);
    document.addEventListener("visibilitychange", () => this.planAgain());
    setInterval(() => this.delivery.tick(), TICK_MS);
    // On a phone the keyboard would cover what the reader came to read.
    if (matchMedia("(pointer: fine)").matches) this.composer.focus();
    window.addEventListener("hashchange", () => void this.showLinked());
    void this.showLinked();
    // What is said here is seen here: no word in the corner.
    document.addEventListener("carillon:notification", (event) => {
      const isHere = event.detail.notification.url.startsWith(`/rooms/${this.room.name}/`);
      if (isHere && !document.hidden) event.preventDefault();
    });
  }

  /** Whoever comes by a link to a message came to read it. */
  private async showLinked(): Promise<void> {
    const id = linkedMessage(location.hash);
    if (id === null) return;
    if (await this.history.reach(id)) this.timeline.show(id);
    else
      this.showProblem("That message is not shown here yet. Load older messages to look for it.");
  }

  private send(text: string): void {
    this.delivery.send(text, newClientId());
    this.timeline.follow();
  }

  private discard(clientId: string): void {
    this.delivery.discard(clientId);
    this.composer.focus();
  }

  private async store(text: string, clientId: string): Promise<Position> {
    const data = { room: this.room.name, message: text, client_id: clientId };
    return placeOf(await this.connection.call("chat.send", data));
  }

  private receive(publication: Publication): void {
    if (publication.type === "presence") {
      this.attendance.takeCount(publication.clients, publication.users);
      return;
    }
    if (publication.type === "chat") {
      this.messages.add([publication.message]);
      this.delivery.acknowledge([publication.message]);
      this.typing.settle(publication.message.username);
      if (this.timeline.isFollowing && this.messages.trim(KEEP)) this.history.forgot();
    } else if (publication.type === "deleted" && !this.messages.remove(publication.id)) {
      // Sent and deleted while this page was away: only the history knows whose it was.
      if (publication.id > (this.messages.oldestId ?? 0)) void this.history.reread();
    }
    this.delivery.advance();
    this.planDraw();
  }

  private onRoster(roster: Roster): void {
    this.people.draw(roster);
    this.typing.enable(!roster.isCrowd && roster.count > 1);
  }

  /** Older messages, or all of them again: on screen before anything else is said about them. */
  private onHistory(): void {
    this.delivery.acknowledge(this.messages.all);
    this.delivery.reread();
    this.draw();
  }

  private onStatus(status: Status): void {
    this.statusLine.draw(status);
    this.composer.enable(status.state !== "refused");
    if (status.state === "refused") {
      if (endsLogin(status.refusal)) this.cabinet.lock();
      this.history.stop();
    }
    if (status.state === "online") void this.attendance.ask();
    else this.attendance.stop();
    this.delivery.onStatus(status);
  }

  private async remove(id: number): Promise<void> {
    if (!(await confirmed("#confirm-delete"))) return;
    try {
      await deleteMessage(this.room.name, id, csrfToken());
      this.messages.remove(id);
      this.planDraw();
    } catch (error) {
      this.showProblem(`The message was not deleted. ${words(error)}`);
    }
  }

  private async loadOlder(): Promise<void> {
    while (await this.history.loadOlder()) {
      if (!this.timeline.isNearStart()) break;
    }
  }

  private showProblem(text: string): void {
    this.problem.textContent = text;
    this.problem.hidden = false;
    setTimeout(() => {
      if (this.problem.textContent === text) this.problem.hidden = true;
    }, PROBLEM_SHOWN_MS);
  }

  /** Many frames may come in one go; they are drawn once. */
  private planDraw(): void {
    if (this.drawPlanned) return;
    this.drawPlanned = true;
    const draw = () => {
      if (this.drawPlanned) this.draw();
    };
    // A page out of sight gets no animation frames.
    if (document.hidden) setTimeout(draw, HIDDEN_DRAW_MS);
    else requestAnimationFrame(draw);
  }

  /** A page that went out of sight will not get the frame that it waits for. */
  private planAgain(): void {
    if (!this.drawPlanned) return;
    this.drawPlanned = false;
    this.planDraw();
  }

  private draw(): void {
    this.drawPlanned = false;
    const day = (at: Date) => this.clock.dayKey(at);
    this.timeline.draw(conversation(this.messages, this.delivery, this.page, day));
  }
}

/** Where the server has stored a message. */
function placeOf(answer: unknown): Position {
  const { epoch, offset } = isFields(answer) ? answer : {};
  // An answer that cannot be read is none: sent again, the message is stored once all the same.
  if (!isId(offset)) throw new CommandError(0, "The answer cannot be read.");
  return { epoch: text(epoch), offset };
}

/** Random without `crypto.randomUUID`, which sites on plain HTTP do not have. */
function newClientId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const page = readPage();
const room = readRoomPage();
if (page !== null && room !== null) {
  whenConnecting((connection) => new Room(page, room, connection).start());
}
