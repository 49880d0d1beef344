import { button, element } from "./dom";
import { part } from "./page";

export interface Toast {
  readonly title: string;
  readonly body: string;
  readonly onOpen: () => void;
}

/** Older ones give way. */
const SHOWN = 3;
const SHOWN_MS = 10_000;

/** News in a corner of the page, where the browser may not show it. */
export class Toasts {
  private readonly region = part("#toasts", HTMLElement);

  show({ title, body, onOpen }: Toast): void {
    const toast = element(
      "div",
      { class: "toast", "data-testid": "toast" },
      element(
        "div",
        { class: "toast-words" },
        button(title, { class: "toast-title", dir: "auto", "data-testid": "toast-open" }, onOpen),
        body === "" ? null : element("p", { class: "toast-body", dir: "auto" }, body),
      ),
      button("Dismiss", { class: "button small quiet" }, () => toast.remove()),
    );
    while (this.region.childElementCount >= SHOWN) this.region.firstElementChild?.remove();
    this.region.append(toast);
    const leave = () => {
      // Not from under the reader's hands.
      if (toast.matches(":hover, :focus-within")) setTimeout(leave, SHOWN_MS);
      else toast.remove();
    };
    setTimeout(leave, SHOWN_MS);
  }
}
