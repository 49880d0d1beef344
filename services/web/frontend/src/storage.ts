/**
 * What the page keeps in the browser for its reader: drafts, unsent messages, announcements.
 *
 * Everything lies under one prefix and the reader's id, and goes when the reader signs out, here
 * or in another tab. A browser that refuses storage loses these comforts and nothing else.
 */

const PREFIX = "carillon:";

export type Kind = "local" | "session";
export type Storages = Readonly<Record<Kind, () => Storage>>;

const BROWSER: Storages = { local: () => localStorage, session: () => sessionStorage };

/** All drawers of one reader. */
export class Cabinet {
  private readonly prefix: string;
  private locked = false;

  constructor(
    userId: number,
    private readonly storages: Storages = BROWSER,
  ) {
    this.prefix = `${PREFIX}${userId}:`;
  }

  /** `local` is shared by the reader's tabs, `session` belongs to this tab. */
  drawer(kind: Kind, name: string): Drawer {
    return new Drawer(this.storages[kind], this.prefix + name, () => this.locked);
  }

  /** The reader is signed out: their drawers are emptied, and this page fills none again. */
  lock(): void {
    this.empty(this.prefix);
  }

  /** For signing out on this page: on a shared computer nothing stays behind, whoever's it was. */
  lockAll(): void {
    this.empty(PREFIX);
  }

  private empty(prefix: string): void {
    this.locked = true;
    for (const open of Object.values(this.storages)) {
      try {
        const storage = open();
        const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index));
        for (const key of keys) {
          if (key?.startsWith(prefix)) storage.removeItem(key);
        }
      } catch {
        // Forbidden: then nothing was stored either.
      }
    }
  }
}

export class Drawer {
  constructor(
    private readonly storage: () => Storage,
    private readonly key: string,
    private readonly isLocked: () => boolean,
  ) {}

  /** Whether a storage event's key is this drawer's. */
  holds(key: string | null): boolean {
    return key === this.key;
  }

  read(): string | null {
    try {
      return this.storage().getItem(this.key);
    } catch {
      return null;
    }
  }

  write(value: string | null): void {
    if (this.isLocked()) return;
    try {
      if (value === null) this.storage().removeItem(this.key);
      else this.storage().setItem(this.key, value);
    } catch {
      // Full or forbidden.
    }
  }
}

/** Every script of a page calls this: each has drawers of its own. */
export function lockOnSignOut(cabinet: Cabinet): void {
  for (const form of document.querySelectorAll("form[data-signs-out]")) {
    form.addEventListener("submit", () => cabinet.lockAll());
  }
}
