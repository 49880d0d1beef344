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
  if (item.id !== null) place.dataset.id = String(item.id);

  // The grouping above changes with the neighbours; what is inside changes with the message only,
  // and is left alone otherwise, for the sake of focus and selection.
  const content = [item.id, item.state, item.text, item.problem, item.canDelete].join("\n");
  if (place.dataset.content === content) return;
  place.dataset.content = content;
  place.replaceChildren(
    ...(item.system ? [] : [avatar(item)]),
    element(
      "div",
      { class: "message-body" },
      element("p", { class: "message-author" }, element("bdi", {}, item.username)),
      bubble(item, clock),
      tools(item, actions),
      item.problem === null ? null : element("p", { class: "message-problem" }, item.problem),
    ),
  );
}

function avatar(item: Item): HTMLElement {
  const look = `avatar ${tone(item.username)}`;
  return element("span", { class: look, "aria-hidden": "true" }, initials(item.username));
}

function bubble(item: Item, clock: Clock): HTMLElement {
  const label = STATE_LABELS[item.state];
  const valid = !Number.isNaN(item.at.getTime());
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
      valid
        ? element(
            "time",
            { datetime: item.at.toISOString(), title: clock.fullTimeOf(item.at) },
            clock.timeOf(item.at),
          )
        : null,
      label === null ? null : element("span", { class: "message-state" }, label),
    ),
  );
}

function tools(item: Item, actions: MessageActions): HTMLElement | null {
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
    const label = `Delete message of ${item.username}`;
    return element(
      "div",
      { class: "message-tools on-demand" },
      button(
        "Delete",
        { class: "link", "data-testid": "message-delete", "aria-label": label },
        () => actions.remove(id),
      ),
    );
  }
  return null;
}
