export interface BrowserNotification {
  readonly title: string;
  readonly body: string;
  /** The browser shows one of several with the same tag, from whichever tab they come. */
  readonly tag: string;
  readonly onClick?: () => void;
}

/** Notifications of the browser itself, for a reader who looks elsewhere. */
export class Notifier {
  /** What is on the page only while the browser may still be asked, each with its button. */
  private readonly offers = document.querySelectorAll<HTMLElement>("[data-asks-notifications]");

  constructor(private readonly icon: string) {
    for (const offer of this.offers) {
      const button = offer.matches("button") ? offer : offer.querySelector("button");
      button?.addEventListener("click", () => void this.ask());
    }
    this.drawOffers();
  }

  get isAllowed(): boolean {
    return this.isAvailable && Notification.permission === "granted";
  }

  /** Returns whether the browser took it. */
  notify({ title, body, tag, onClick }: BrowserNotification): boolean {
    if (!this.isAllowed) return false;
    try {
      const notification = new Notification(title, { body, tag, icon: this.icon });
      notification.addEventListener("click", () => {
        window.focus();
        notification.close();
        onClick?.();
      });
      return true;
    } catch {
      // Phones have the class and refuse its use outside a service worker.
      return false;
    }
  }

  private get isAvailable(): boolean {
    return "Notification" in window;
  }

  /** Browsers let a page ask in answer to a click only, and readers resent anything else. */
  private async ask(): Promise<void> {
    await Notification.requestPermission();
    this.drawOffers();
  }

  private drawOffers(): void {
    const hidden = !this.isAvailable || Notification.permission !== "default";
    for (const offer of this.offers) offer.hidden = hidden;
  }
}
