import { type Groupable, type Placement, placements } from "./grouping";
import type { MessageList } from "./messages";
import type { Pending, PendingState, Unsent } from "./unsent";
import type { WireMessage } from "./wiremessage";

export type MessageState = "received" | "sending" | "sent" | "failed" | "deleted";

/** One message as the page shows it. */
export interface Item extends Groupable, Placement {
  /** The same for a message before and after its confirmation, so that it stays in its place. */
  readonly key: string;
  readonly id: number | null;
  readonly clientId: string | null;
  readonly text: string;
  readonly own: boolean;
  readonly state: MessageState;
  readonly problem: string | null;
  readonly canDelete: boolean;
}

export interface Reader {
  readonly username: string;
  readonly staff: boolean;
}

const STATES: Readonly<Record<PendingState, MessageState>> = {
  queued: "sending",
  sent: "sending",
  stored: "sent",
  failed: "failed",
};

type Unplaced = Omit<Item, keyof Placement>;

/** What the room shows: confirmed messages by id, then the reader's unconfirmed ones. */
export function conversation(
  messages: MessageList,
  unsent: Pick<Unsent, "pending">,
  reader: Reader,
  dayOf: (at: Date) => string,
): readonly Item[] {
  const items: readonly Unplaced[] = [
    ...messages.all.map((message) => confirmed(message, reader)),
    ...unsent.pending.map((pending) => unconfirmed(pending, reader)),
  ];
  const placed = placements(items, dayOf);
  return items.map((item, index) => ({ ...item, ...(placed[index] as Placement) }));
}

function confirmed(message: WireMessage, reader: Reader): Unplaced {
  const own = !message.system && message.username === reader.username;
  return {
    key: own && message.clientId !== null ? `own:${message.clientId}` : `id:${message.id}`,
    id: message.id,
    clientId: message.clientId,
    username: message.username,
    text: message.message,
    at: new Date(message.timestamp),
    system: message.system,
    own,
    state: message.deleted ? "deleted" : own ? "sent" : "received",
    problem: null,
    canDelete: !message.deleted && (own || reader.staff),
  };
}

function unconfirmed(pending: Pending, reader: Reader): Unplaced {
  return {
    key: `own:${pending.clientId}`,
    id: null,
    clientId: pending.clientId,
    username: reader.username,
    text: pending.text,
    at: new Date(pending.createdAt),
    system: false,
    own: true,
    state: STATES[pending.state],
    problem: pending.problem,
    canDelete: false,
  };
}
