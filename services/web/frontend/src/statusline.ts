import type { Status } from "./connection";
import { part } from "./page";
import { drawRefusal } from "./refusal";

/** Says how the connection stands, and what to do when it is refused. */
export class StatusLine {
  private readonly line = part("#connection-state", HTMLElement);
  private readonly label = part("#connection-label", HTMLElement);
  private readonly notice = part("#connection-notice", HTMLElement);
  private wasOnline = false;

  draw(status: Status): void {
    this.wasOnline ||= status.state === "online";
    this.line.dataset.state = status.state;
    const label = this.text(status);
    // Attempts that follow each other fast must not be read out one by one.
    if (this.label.textContent !== label) this.label.textContent = label;
    if (status.state === "refused") drawRefusal(this.notice, status.refusal);
    this.notice.hidden = status.state !== "refused";
  }

  private text(status: Status): string {
    switch (status.state) {
      case "online":
        return "Connected";
      case "refused":
        return "Disconnected";
      default:
        return this.wasOnline ? "Reconnecting…" : "Connecting…";
    }
  }
}
