/** A form that was sent and has led nowhere by then may be sent again. */
const AGAIN_MS = 5_000;

/** Tells the second click of a double click from a new attempt, by the form or its button. */
export class SentForms<Sender extends object> {
  private readonly sentAt = new WeakMap<Sender, number>();

  constructor(private readonly now: () => number = Date.now) {}

  /** Returns whether it may be sent now; then it counts as sent. */
  send(sender: Sender): boolean {
    const sent = this.sentAt.get(sender);
    if (sent !== undefined && this.now() - sent < AGAIN_MS) return false;
    this.sentAt.set(sender, this.now());
    return true;
  }
}

/** A double click sends a form once: two posts, comments or announcements is not what was meant. */
export function submitOnce(): void {
  const sent = new SentForms<HTMLElement>();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    // The page's own script has taken it.
    if (event.defaultPrevented || !(form instanceof HTMLFormElement)) return;
    if (form.method === "post" && !sent.send(event.submitter ?? form)) event.preventDefault();
  });
}
