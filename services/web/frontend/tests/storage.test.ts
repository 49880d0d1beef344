import { expect, test } from "vitest";
import { Cabinet } from "../src/storage";

/** What `Storage` does, which Node lacks. */
class MemoryStorage {
  private readonly values = new Map<string, string>();

  get length(): number {
    return this.values.size;
  }

  key(index: number): string | null {
    return [...this.values.keys()][index] ?? null;
  }

  getItem(key: string): string | null {
    return this.values.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    this.values.set(key, value);
  }

  removeItem(key: string): void {
    this.values.delete(key);
  }
}

function browser() {
  const [local, session] = [new MemoryStorage(), new MemoryStorage()];
  const storages = {
    local: () => local as unknown as Storage,
    session: () => session as unknown as Storage,
  };
  return { local, session, cabinet: (userId: number) => new Cabinet(userId, storages) };
}

test("a drawer is its reader's", () => {
  const { cabinet } = browser();
  cabinet(1).drawer("local", "draft:lobby").write("hello");
  expect(cabinet(1).drawer("local", "draft:lobby").read()).toBe("hello");
  expect(cabinet(2).drawer("local", "draft:lobby").read()).toBeNull();
});

test("after its reader is signed out nothing is left, and nothing is written any more", () => {
  const { cabinet, local, session } = browser();
  const alices = cabinet(1);
  const [draft, unsent] = [alices.drawer("local", "draft"), alices.drawer("session", "unsent")];
  draft.write("half a thought");
  unsent.write("[]");
  alices.lock();
  draft.write("the other half");
  unsent.write("[]");
  expect([local.length, session.length]).toEqual([0, 0]);
});

test("a page that hears late of it leaves the next reader's drawers alone", () => {
  const { cabinet } = browser();
  const alices = cabinet(1);
  cabinet(2).drawer("local", "draft").write("bob's");
  alices.lock();
  expect(cabinet(2).drawer("local", "draft").read()).toBe("bob's");
});

test("signing out on the page empties everybody's drawers and nothing else", () => {
  const { cabinet, local } = browser();
  cabinet(2).drawer("local", "draft").write("bob's");
  local.setItem("theme", "dark");
  cabinet(1).lockAll();
  expect(local.length).toBe(1);
});

test("a browser without storage is no error", () => {
  const refuse = () => {
    throw new Error("SecurityError");
  };
  const cabinet = new Cabinet(1, { local: refuse, session: refuse });
  const drawer = cabinet.drawer("local", "draft");
  drawer.write("x");
  expect(drawer.read()).toBeNull();
  cabinet.lock();
});
