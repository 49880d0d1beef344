import type { Connection, Subscription } from "./connection";
import { part } from "./page";
import { TypingSignal, Typists, typingWords } from "./typing";

const TICK_MS = 500;

/** Tells the others in a room that the reader is typing, and shows who of them is. */
export class TypingLine {
  private readonly line = part("#typing", HTMLElement);
  private readonly announcer = part("#typing-announcer", HTMLElement);
  private readonly typists = new Typists();
  private readonly signal = new TypingSignal();
  private subscription: Subscription | null = null;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly connection: Pick<Connection, "subscribe" | "status">,
    private readonly channel: string,
    private readonly username: string,
  ) {}

  /** Whether anybody is there to be told. In a crowd nobody is: it would be more than the talk. */
  enable(enabled: boolean): void {
    if (enabled === (this.subscription !== null)) return;
    if (!enabled) {
      this.subscription?.end();
      this.subscription = null;
      this.typists.clear();
      this.draw();
      return;
    }
    this.subscription = this.connection.subscribe(this.channel, null, {
      onPublication: (publication) => {
        // Of the reader's other tabs, too.
        if (publication.type === "typing" && publication.username !== this.username) {
          this.typists.hear(publication.username, Date.now());
          this.draw();
        }
      },
      onReset: () => undefined,
    });
  }

  /** The reader has typed. */
  tell(): void {
    if (this.subscription === null || this.connection.status.state !== "online") return;
    if (!this.signal.isDue(Date.now())) return;
    // Whoever was not told this time is told by the next words.
    this.subscription.publish({}).catch(() => undefined);
  }

  /** A message has come. */
  settle(username: string): void {
    if (this.typists.settle(username)) this.draw();
  }

  private draw(): void {
    const words = typingWords(this.typists.names(Date.now()));
    // Read out once when somebody begins; who joins in would only interrupt the messages.
    if (words === "" || this.line.textContent === "") this.announcer.textContent = words;
    if (this.line.textContent !== words) this.line.textContent = words;
    clearInterval(this.timer);
    if (words !== "") this.timer = setInterval(() => this.draw(), TICK_MS);
  }
}
