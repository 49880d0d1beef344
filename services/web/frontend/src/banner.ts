import type { Announcement } from "./announcements";
import { button, element } from "./dom";
import type { Clock } from "./format";
import { part } from "./page";

/** The announcements at the top of every page. */
export class Banner {
  private readonly region = part("#announcements", HTMLElement);

  constructor(
    private readonly clock: Clock,
    private readonly onDismiss: (id: number) => void,
  ) {
    // What the server put there works without a script, and would not follow this one.
    this.region.replaceChildren();
  }

  draw(open: readonly Announcement[]): void {
    // What stays is left in place, or a screen reader would read it out again.
    const shown = new Map<string, HTMLElement>();
    for (const child of this.region.querySelectorAll<HTMLElement>("[data-id]")) {
      shown.set(child.dataset.id ?? "", child);
    }
    for (const announcement of open) {
      const id = String(announcement.id);
      if (!shown.delete(id)) this.region.append(this.build(announcement));
    }
    for (const gone of shown.values()) gone.remove();
  }

  private build(announcement: Announcement): HTMLElement {
    const at = new Date(announcement.timestamp);
    return element(
      "div",
      { class: "announcement", "data-testid": "announcement", "data-id": String(announcement.id) },
      element("strong", { class: "announcement-label" }, "Announcement"),
      element("p", { class: "announcement-text", dir: "auto" }, announcement.message),
      Number.isNaN(at.getTime())
        ? null
        : element("time", { datetime: at.toISOString() }, this.clock.timeOf(at)),
      button(
        "Dismiss",
        { class: "button small quiet", "data-testid": "announcement-dismiss" },
        () => this.onDismiss(announcement.id),
      ),
    );
  }
}
