import { CommandError, type Status } from "./connection";
import type { Position } from "./position";
import type { Drawer } from "./storage";
import { type Pending, Unsent } from "./unsent";
import type { WireMessage } from "./wiremessage";

const RESEND_DELAY_MS = 2_000;
/** Without an answer: perhaps the connection alone is at fault. */
const TIMEOUT = 1;

const BAD_REQUEST = 107;
const TOO_MANY = 111;
const DENIED = 103;
/** From here on, apps and rooms tell their readers why; below are words for programs. */
const FIRST_OF_APPS = 400;
const FAULT = "This page could not send the message. Copy it, reload the page and try again.";

/** The way to the server. */
export interface Line {
  /** How far the page has the room's log. */
  position(): Position | null;
  /** Store a message; returns where its publication stands. Rejected with `CommandError`. */
  send(text: string, clientId: string): Promise<Position>;
  /** Drop a connection that seems dead and come back. */
  restart(): void;
}

/**
 * Brings the reader's own messages to the server: sends what is due, keeps over a reload what is
 * not confirmed, and lets go of it when it is. Works whether or not the page is in sight.
 */
export class Delivery {
  readonly unsent = new Unsent();
  private state: Status["state"] = "connecting";

  constructor(
    private readonly line: Line,
    private readonly drawer: Drawer,
    private readonly username: string,
    private readonly onChange: () => void,
  ) {
    this.unsent.restore(drawer.read() ?? "[]");
  }

  get pending(): readonly Pending[] {
    return this.unsent.pending;
  }

  send(text: string, clientId: string): void {
    this.unsent.add(text, clientId, Date.now());
    this.flush();
  }

  retry(clientId: string): void {
    if (this.state === "refused") return;
    this.unsent.retry(clientId);
    this.flush();
  }

  discard(clientId: string): void {
    this.unsent.discard(clientId);
    this.flush();
  }

  /** However a message of the reader's own came back, it is confirmed by being there. */
  acknowledge(messages: Iterable<WireMessage>): void {
    let found = false;
    for (const { username, clientId } of messages) {
      if (clientId === null || username !== this.username) continue;
      found = this.unsent.acknowledge(clientId) || found;
    }
    if (found) this.flush();
  }

  /** The page has more of the room's log. */
  advance(): void {
    if (this.settle()) this.flush();
  }

  /** The page has all of the room's log anew, perhaps another life of it. */
  reread(): void {
    const position = this.line.position();
    if (position !== null && this.unsent.revive(position.epoch)) this.flush();
    this.advance();
  }

  onStatus({ state }: Status): void {
    this.state = state;
    if (state === "refused") this.unsent.failAll("This message was not sent.");
    this.flush();
  }

  /** To be called a few times in a second: sending is paced. */
  tick(): void {
    if (this.pending.some(({ state }) => state === "queued")) this.flush();
  }

  /** Write down what is not confirmed, and send what is due. */
  private flush(): void {
    const due = this.state === "online" ? this.unsent.take(Date.now()) : [];
    this.drawer.write(this.pending.length > 0 ? this.unsent.serialize() : null);
    for (const pending of due) void this.deliver(pending);
    this.onChange();
  }

  private async deliver({ text, clientId }: Pending): Promise<void> {
    try {
      this.unsent.confirm(clientId, await this.line.send(text, clientId));
      // Sent for the second time, it has its place already.
      this.settle();
    } catch (error) {
      if (!CommandError.is(error)) {
        this.unsent.fail(clientId, FAULT);
        this.flush();
        throw error;
      }
      this.onError(clientId, error);
    }
    this.flush();
  }

  private settle(): boolean {
    const position = this.line.position();
    return position !== null && this.unsent.passed(position);
  }

  private onError(clientId: string, error: CommandError): void {
    if (this.state === "refused") this.unsent.fail(clientId, "This message was not sent.");
    else if (error.isLost) {
      this.unsent.requeue(clientId);
      // The connection looks alive, yet nothing comes back: only a new one tells.
      if (error.code === TIMEOUT && this.state === "online") this.line.restart();
    } else if (error.isTemporary) {
      this.unsent.postpone(clientId, RESEND_DELAY_MS, problemOf(error), Date.now());
    } else this.unsent.fail(clientId, problemOf(error));
  }
}

/** Why a message was not stored, in words for who wrote it. */
function problemOf({ code, message, isTemporary }: CommandError): string {
  if (code === DENIED || code >= FIRST_OF_APPS) return message;
  // Of all that a message may have wrong, this alone is not the page's own mistake.
  if (code === BAD_REQUEST) return "This holds a character that cannot be stored. Remove it.";
  if (code === TOO_MANY) return "That was too much at once. Wait a moment, then try again.";
  if (isTemporary) return "The server could not store this. Try again in a moment.";
  return `The server could not take this message (code ${code}). Reload the page and try again.`;
}
