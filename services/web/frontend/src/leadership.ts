type Locks = Pick<LockManager, "request">;

/**
 * One of a reader's tabs in this browser leads, and does what they must not all do. When it closes,
 * another one does; the browser decides, so there are never two.
 */
export class Leadership {
  private leads = false;

  constructor(name: string, locks: Locks | null = navigator.locks ?? null) {
    if (locks === null) {
      // A site on plain HTTP: there every tab is on its own.
      this.leads = true;
      return;
    }
    const leadForGood = () => {
      this.leads = true;
      return new Promise<never>(() => undefined);
    };
    locks.request(name, leadForGood).catch(() => {
      this.leads = true;
    });
  }

  get isHere(): boolean {
    return this.leads;
  }
}
