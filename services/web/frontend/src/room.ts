/** The page of one room: puts messages, outbox, connection and the parts on screen together. */

import { deleteMessage, roomAccess } from "./api";
import { Composer } from "./composer";
import { confirmed } from "./confirm";
import { type Connection, SocketConnection, type Status } from "./connection";
import { conversation } from "./conversation";
import { Clock } from "./format";
import { History, roomReader, words } from "./history";
import { MessageList } from "./messages";
import { Outbox } from "./outbox";
import {
  csrfToken,
  type Page,
  part,
  type RoomPage,
  readPage,
  readRoomPage,
  socketUrl,
} from "./page";
import { StatusLine } from "./statusline";
import { Drawer } from "./storage";
import { Timeline } from "./timeline";
import type { ErrorFrame, Publication } from "./wire";

/** A page left open for days stays light. */
const KEEP = 2_000;
const TICK_MS = 250;
const RESEND_DELAY_MS = 2_000;
const PROBLEM_SHOWN_MS = 8_000;
const HIDDEN_DRAW_MS = 200;
/** Errors of the plain endpoint that ask to send again later. */
const TEMPORARY = new Set([100, 111]);

class Room {
  private readonly messages = new MessageList();
  private readonly outbox = new Outbox();
  private readonly outboxDrawer: Drawer;
  private readonly history: History;
  private readonly clock: Clock;
  private readonly timeline: Timeline;
  private readonly composer: Composer;
  private readonly statusLine = new StatusLine();
  private readonly problem = part("#room-problem", HTMLElement);
  private readonly connection: Connection;
  private drawPlanned = false;

  constructor(
    private readonly page: Page,
    private readonly room: RoomPage,
  ) {
    this.clock = new Clock(page.language);
    this.outboxDrawer = new Drawer(() => sessionStorage, page.userId, `outbox:${room.name}`);
    this.outbox.restore(this.outboxDrawer.read() ?? "[]");
    this.messages.add(room.messages);
    this.history = new History(
      this.messages,
      room.more,
      {
        onMessages: () => this.planDraw(),
        onOlder: (more, loading, problem) => this.timeline.drawOlder(more, loading, problem),
      },
      roomReader(room.name),
    );
    this.timeline = new Timeline(
      this.clock,
      {
        retry: (clientId) => this.retry(clientId),
        discard: (clientId) => this.discard(clientId),
        remove: (id) => void this.remove(id),
      },
      () => void this.loadOlder(),
    );
    const draft = new Drawer(() => localStorage, page.userId, `draft:${room.name}`);
    this.composer = new Composer(draft, (text) => this.send(text));
    this.connection = new SocketConnection(
      {
        url: socketUrl(`/ws/chat/${room.name}/`),
        channels: [{ name: room.channel, parameter: "since", types: ["chat", "deleted"] }],
        checkAccess: () => roomAccess(room.name),
      },
      {
        onPublication: (_channel, publication) => this.receive(publication),
        onReset: () => void this.history.reread(),
        onStatus: (status) => this.onStatus(status),
        onError: (error) => this.onError(error),
      },
    );
  }

  start(): void {
    this.draw();
    this.timeline.drawOlder(this.room.more, false, null);
    this.connection.subscribe(this.room.channel, this.room.position);
    this.connection.connect();
    for (const event of ["online", "offline"]) {
      window.addEventListener(event, () => this.connection.reconnect());
    }
    setInterval(() => this.tick(), TICK_MS);
    // On a phone the keyboard would cover what the reader came to read.
    if (matchMedia("(pointer: fine)").matches) this.composer.focus();
  }

  private send(text: string): void {
    this.outbox.add(text, newClientId(), Date.now());
    this.timeline.follow();
    this.flush();
  }

  private retry(clientId: string): void {
    if (this.connection.status.state === "refused") return;
    this.outbox.retry(clientId);
    this.flush();
  }

  private discard(clientId: string): void {
    this.outbox.discard(clientId);
    this.flush();
    this.composer.focus();
  }

  /** Send what is due, and show how the outbox stands. */
  private flush(): void {
    if (this.connection.status.state === "online") {
      for (const { text, clientId } of this.outbox.take(Date.now())) {
        this.connection.publish(text, clientId);
      }
    }
    this.planDraw();
  }

  private tick(): void {
    if (this.outbox.pending.length === 0 || this.connection.status.state !== "online") return;
    // The socket looks alive, yet nothing comes back: only a new one tells.
    if (this.outbox.isOverdue(Date.now())) this.connection.reconnect();
    else if (this.outbox.pending.some(({ state }) => state === "queued")) this.flush();
  }

  private receive(publication: Publication): void {
    if (publication.type === "chat") {
      this.messages.add([publication.message]);
      if (this.timeline.isFollowing && this.messages.trim(KEEP)) this.history.forgot();
    } else if (publication.type === "deleted" && !this.messages.remove(publication.id)) {
      // Sent and deleted while this page was away: only the history knows whose it was.
      if (publication.id > (this.messages.oldestId ?? 0)) void this.history.reread();
    }
    this.planDraw();
  }

  private onStatus(status: Status): void {
    this.statusLine.draw(status);
    this.composer.enable(status.state !== "refused");
    if (status.state === "offline") this.outbox.requeue();
    if (status.state === "refused") {
      this.outbox.failAll("This message was not sent.");
      this.history.stop();
    }
    // A page without a position cannot ask for what was said while it loaded.
    if (status.state === "online" && this.room.position === null) void this.history.reread();
    this.flush();
  }

  private onError(error: ErrorFrame): void {
    const { code, message, retryAfterMs } = error;
    const clientId = error.clientId ?? this.outbox.oldestSent;
    if (clientId === null) this.showProblem(message);
    else if (!TEMPORARY.has(code)) this.outbox.fail(clientId, message);
    else this.outbox.postpone(clientId, retryAfterMs ?? RESEND_DELAY_MS, message, Date.now());
    this.flush();
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
      this.draw();
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
      this.drawPlanned = false;
      this.draw();
    };
    // A page out of sight gets no animation frames.
    if (document.hidden) setTimeout(draw, HIDDEN_DRAW_MS);
    else requestAnimationFrame(draw);
  }

  private draw(): void {
    // However a message of one's own came back, it is confirmed by being there.
    for (const { username, clientId } of this.messages.all) {
      if (clientId !== null && username === this.page.username) this.outbox.acknowledge(clientId);
    }
    const pending = this.outbox.pending.length > 0;
    this.outboxDrawer.write(pending ? this.outbox.serialize() : null);
    const day = (at: Date) => this.clock.dayKey(at);
    this.timeline.draw(conversation(this.messages, this.outbox, this.page, day));
  }
}

/** Random without `crypto.randomUUID`, which sites on plain HTTP do not have. */
function newClientId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const page = readPage();
const room = readRoomPage();
if (page !== null && room !== null) new Room(page, room).start();
