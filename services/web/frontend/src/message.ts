import { initials, tone } from "./avatar";
import type { Item, MessageState } from "./conversation";
import { button, element } from "./dom";
import type { Clock } from "./format";

/** What a reader can do with one message. */
export interface MessageActions {
  retry(clientId: string): void;
  discard(clientId: string): void;
  remove(id: number): void;
}

const STATE_LABELS: Readonly<Record<MessageState, string | null>> = {
  received: null,
  sending: "Sending…",
  sent: "Sent",
  failed: "Not sent",
  deleted: null,
};
/** Notifications of mentions lead to a message by its id. */
const MESSAGE_ANCHOR = "message-";
const BEGINNING_CHARACTERS = 40;
const ACCOUNT_NAME = /^[\w.@+-]+$/;

/** The id of the message that a part of an address, such as `#message-7`, leads to. */
export function linkedMessage(hash: string): number | null {
  const match = new RegExp(`^#${MESSAGE_ANCHOR}(\\d{1,15})$`).exec(hash);
  return match === null ? null : Number(match[1]);
}

/** Bring a list item up to date with its message. */
export function drawMessage(
  place: HTMLLIElement,
  item: Item,
  clock: Clock,
  actions: MessageActions,
): void {
  place.className = "message";
  place.classList.toggle("message-own", item.own);
  place.classList.toggle("message-system", item.system);
  place.classList.toggle("starts-run", item.startsRun);
  place.classList.toggle("ends-run", item.endsRun);
  place.dataset.testid = "message";
  place.dataset.state = item.state;
  if (item.id !== null) {
    place.dataset.id = String(item.id);
    place.id = `${MESSAGE_ANCHOR}${item.id}`;
  }

  // What did not change is left alone, for the sake of focus and selection, and because a screen
  // reader reads out what is put in: a message of one's own once, and its confirmation apart.
  const deleted = item.state === "deleted";
  if (isNew(place, "content", [item.username, item.system, deleted, item.text])) {
    place.replaceChildren(
      ...(item.system ? [] : [avatar(item)]),
      element(
        "div",
        { class: "message-body" },
        element("p", { class: "message-author" }, author(item)),
        bubble(item),
      ),
    );
    delete place.dataset.standing;
  }
  const standing = [item.id, item.state, item.problem, item.canDelete, item.at.getTime()];
  if (isNew(place, "standing", standing)) drawStanding(place, item, clock, actions);
}

/** Whether these values are other ones than at the last call. */
function isNew(place: HTMLElement, name: "content" | "standing", values: unknown[]): boolean {
  const key = values.join("\n");
  if (place.dataset[name] === key) return false;
  place.dataset[name] = key;
  return true;
}

function avatar(item: Item): HTMLElement {
  const look = `avatar ${tone(item.username)}`;
  return element("span", { class: look, "aria-hidden": "true" }, initials(item.username));
}

/** A name that can be an account's leads to its page; System and deleted users have none. */
function author({ username, system }: Item): HTMLElement {
  const name = element("bdi", {}, username);
  if (system || !ACCOUNT_NAME.test(username)) return name;
  return element("a", { href: `/people/${encodeURIComponent(username)}/` }, name);
}

function bubble(item: Item): HTMLElement {
  return element(
    "div",
    { class: "bubble" },
    item.state === "deleted"
      ? element("p", { class: "message-text" }, "Message deleted")
      : element(
          "p",
          { class: "message-text", "data-testid": "message-text", "data-text": true, dir: "auto" },
          item.text,
        ),
    element(
      "p",
      { class: "message-meta" },
      Number.isNaN(item.at.getTime()) ? null : element("time"),
      STATE_LABELS[item.state] === null ? null : element("span", { class: "message-state" }),
    ),
  );
}

/** How the message stands: when it was said, whether it arrived, what can be done about it. */
function drawStanding(place: HTMLElement, item: Item, clock: Clock, actions: MessageActions): void {
  const time = place.querySelector("time");
  if (time !== null && !Number.isNaN(item.at.getTime())) {
    time.dateTime = item.at.toISOString();
    time.title = clock.fullTimeOf(item.at);
    setText(time, clock.timeOf(item.at));
  }
  setText(place.querySelector(".message-state"), STATE_LABELS[item.state] ?? "");
  for (const old of place.querySelectorAll(".message-tools, .message-problem")) old.remove();
  const body = place.querySelector(".message-body");
  const made = tools(item, clock, actions);
  if (made !== null) body?.append(made);
  if (item.problem !== null) body?.append(element("p", { class: "message-problem" }, item.problem));
}

/** Even the same text put in again would be read out. */
function setText(target: Element | null, text: string): void {
  if (target !== null && target.textContent !== text) target.textContent = text;
}

function tools(item: Item, clock: Clock, actions: MessageActions): HTMLElement | null {
  const { id, clientId } = item;
  if (item.state === "failed" && clientId !== null) {
    return element(
      "div",
      { class: "message-tools" },
      button("Retry", { class: "link", "data-testid": "message-retry" }, () =>
        actions.retry(clientId),
      ),
      button("Discard", { class: "link", "data-testid": "message-discard" }, () =>
        actions.discard(clientId),
      ),
    );
  }
  if (item.canDelete && id !== null) {
    return element(
      "div",
      { class: "message-tools on-demand" },
      button(
        "Delete",
        {
          class: "link",
          "data-testid": "message-delete",
          "aria-label": deleteLabel(item, clock),
        },
        () => actions.remove(id),
      ),
    );
  }
  return null;
}

/** One author's messages are told apart by when they were said and how they begin. */
export function deleteLabel(item: Pick<Item, "username" | "at" | "text">, clock: Clock): string {
  const said = Number.isNaN(item.at.getTime()) ? "" : `, ${clock.timeOf(item.at)}`;
  const characters = [...item.text.replace(/\s+/g, " ").trim()];
  const cut = characters.length > BEGINNING_CHARACTERS ? "…" : "";
  const beginning = characters.slice(0, BEGINNING_CHARACTERS).join("");
  return `Delete message of ${item.username}${said}: ${beginning}${cut}`;
}
