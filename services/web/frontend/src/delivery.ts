import type { Connection, Status } from "./connection";
import type { Drawer } from "./storage";
import { type Pending, Unsent } from "./unsent";
import type { ErrorFrame } from "./wire";
import type { WireMessage } from "./wiremessage";

const RESEND_DELAY_MS = 2_000;
/** Errors of the plain endpoint that ask to send again later. */
const TEMPORARY = new Set([100, 111]);

/**
 * Brings the reader's own messages to the server: sends what is due, keeps over a reload what is
 * not confirmed, and lets go of it when it is. Works whether or not the page is in sight.
 */
export class Delivery {
  readonly unsent = new Unsent();

  constructor(
    private readonly connection: Pick<Connection, "status" | "publish" | "reconnect">,
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
    if (this.connection.status.state === "refused") return;
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

  onStatus(status: Status): void {
    if (status.state === "offline") this.unsent.requeue();
    if (status.state === "refused") this.unsent.failAll("This message was not sent.");
    this.flush();
  }

  /** Returns whether the error concerned one of these messages. */
  onError({ code, message, clientId, retryAfterMs }: ErrorFrame): boolean {
    const concerned = clientId ?? this.unsent.oldestSent;
    if (concerned === null) return false;
    if (!TEMPORARY.has(code)) this.unsent.fail(concerned, message);
    else this.unsent.postpone(concerned, retryAfterMs ?? RESEND_DELAY_MS, message, Date.now());
    this.flush();
    return true;
  }

  /** To be called a few times in a second: sending is paced, and confirmations may not come. */
  tick(): void {
    if (this.pending.length === 0 || this.connection.status.state !== "online") return;
    // The connection looks alive, yet nothing comes back: only a new one tells.
    if (this.unsent.isOverdue(Date.now())) this.connection.reconnect();
    else if (this.pending.some(({ state }) => state === "queued")) this.flush();
  }

  /** Write down what is not confirmed, and send what is due. */
  private flush(): void {
    const online = this.connection.status.state === "online";
    const due = online ? this.unsent.take(Date.now()) : [];
    this.drawer.write(this.pending.length > 0 ? this.unsent.serialize() : null);
    for (const { text, clientId } of due) this.connection.publish(text, clientId);
    this.onChange();
  }
}
