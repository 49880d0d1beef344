import type { Connection } from "./connection";

const TICK_MS = 10_000;
/** Later than this, and the machine slept. */
const LATE_MS = 30_000;
/** Browsers hold back the timers of a page out of sight for a minute. */
const LATE_HIDDEN_MS = 120_000;
/** Out of sight a page asks more seldom. */
const HIDDEN_FACTOR = 10;

/**
 * Tell a connection when it may be dead without knowing: the network or the reader came back, the
 * machine slept, or nothing was heard for a while.
 */
export function keepAlive(connection: Connection, quietMs: number): void {
  window.addEventListener("online", () => connection.wake());
  window.addEventListener("offline", () => connection.reconnect());
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) connection.wake();
  });
  let due = Date.now() + TICK_MS;
  setInterval(() => {
    const late = Date.now() - due;
    due = Date.now() + TICK_MS;
    if (late > (document.hidden ? LATE_HIDDEN_MS : LATE_MS)) connection.wake();
    else void connection.check(document.hidden ? quietMs * HIDDEN_FACTOR : quietMs);
  }, TICK_MS);
}
