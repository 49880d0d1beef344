/**
 * What the page keeps in the browser for its reader: drafts, unsent messages, announcements.
 *
 * Everything lies under one prefix and the reader's id, and goes when somebody signs out. A
 * browser that refuses storage loses these comforts and nothing else.
 */

const PREFIX = "carillon:";

export class Drawer {
  private readonly key: string;

  constructor(
    private readonly storage: () => Storage,
    userId: number,
    name: string,
  ) {
    this.key = `${PREFIX}${userId}:${name}`;
  }

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
    try {
      if (value === null) this.storage().removeItem(this.key);
      else this.storage().setItem(this.key, value);
    } catch {
      // Full or forbidden.
    }
  }
}

/** For signing out: on a shared computer nothing stays behind. */
export function emptyDrawers(storages: readonly (() => Storage)[]): void {
  for (const open of storages) {
    try {
      const storage = open();
      const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index));
      for (const key of keys) {
        if (key?.startsWith(PREFIX)) storage.removeItem(key);
      }
    } catch {
      // Forbidden: then nothing was stored either.
    }
  }
}
