import { expect, test } from "vitest";
import { Leadership } from "../src/leadership";

/** What `LockManager` does with one lock, which Node lacks. */
class QueuedLocks {
  private readonly waiting: (() => void)[] = [];
  private held = false;

  request(_name: string, grant: () => Promise<unknown>): Promise<never> {
    const take = () => {
      this.held = true;
      void grant();
    };
    if (this.held) this.waiting.push(take);
    else take();
    return new Promise<never>(() => undefined);
  }

  /** The tab that holds it closes. */
  close(): void {
    this.waiting.shift()?.();
  }
}

const join = (locks: { request: unknown }) =>
  new Leadership("notifier", locks as unknown as LockManager);

test("of several tabs one leads, and when it closes the next one", () => {
  const locks = new QueuedLocks();
  const [first, second, third] = [join(locks), join(locks), join(locks)];
  expect([first.isHere, second.isHere, third.isHere]).toEqual([true, false, false]);
  locks.close();
  expect([second.isHere, third.isHere]).toEqual([true, false]);
});

test("where tabs cannot agree each is on its own", async () => {
  expect(new Leadership("notifier", null).isHere).toBe(true);
  const refused = join({ request: () => Promise.reject(new Error("SecurityError")) });
  await Promise.resolve();
  await Promise.resolve();
  expect(refused.isHere).toBe(true);
});
