/** Notifications of the browser itself, for a reader who looks elsewhere. */
export class Notifier {
  constructor(
    private readonly button: HTMLButtonElement,
    private readonly icon: string,
  ) {
    this.button.addEventListener("click", () => void this.ask());
    this.drawButton();
  }

  notify(title: string, body: string, tag: string): void {
    if (!this.isAvailable() || Notification.permission !== "granted" || !document.hidden) return;
    try {
      const notification = new Notification(title, { body, tag, icon: this.icon });
      notification.addEventListener("click", () => {
        window.focus();
        notification.close();
      });
    } catch {
      // Phones have the class and refuse its use outside a service worker; the page shows it.
    }
  }

  private isAvailable(): boolean {
    return "Notification" in window;
  }

  /** Browsers let a page ask in answer to a click only, and readers resent anything else. */
  private async ask(): Promise<void> {
    await Notification.requestPermission();
    this.drawButton();
  }

  private drawButton(): void {
    this.button.hidden = !this.isAvailable() || Notification.permission !== "default";
  }
}
