import { Backoff } from "./backoff";
import type { Person, Subscription } from "./connection";
import { Roster } from "./roster";

/** Keeps a roster true: asks who is there whenever the subscription begins, and listens since. */
export class Attendance {
  readonly roster = new Roster();
  /** A later question makes an answer under way worthless. */
  private round = 0;

  constructor(
    private readonly room: () => Pick<Subscription, "people" | "size">,
    private readonly onChange: (roster: Roster) => void,
    private readonly backoff = new Backoff(),
  ) {}

  /** The subscription began, or went on: what was told before it broke may be over. */
  async ask(): Promise<void> {
    this.round += 1;
    const round = this.round;
    while (round === this.round) {
      this.roster.ask();
      try {
        const { clients, users } = await this.room().size();
        if (round !== this.round) return;
        if (Roster.isTooMany(clients)) {
          // From now on the server tells the count when it changes.
          this.takeCount(clients, users);
          return;
        }
        const people = await this.room().people();
        if (round !== this.round) return;
        this.backoff.reset();
        this.roster.fill(people);
        this.onChange(this.roster);
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, this.backoff.next()));
      }
    }
  }

  /** Nothing is heard of the room: who is there now is anybody's guess. */
  stop(): void {
    this.round += 1;
  }

  hear(person: Person, isHere: boolean): void {
    this.roster.hear(person, isHere);
    if (this.roster.isRead) this.onChange(this.roster);
  }

  takeCount(clients: number, users: number): void {
    if (this.roster.takeCount(clients, users)) void this.ask();
    else this.onChange(this.roster);
  }
}
