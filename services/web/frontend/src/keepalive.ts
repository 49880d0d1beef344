import type { LiveConnection } from "./live";

const TICK_MS = 10_000;
/** Later than this, and the machine slept. */
const LATE_MS = 30_000;
/** Browsers hold back the timers of a page out of sight for a minute. */
const LATE_HIDDEN_MS = 120_000;

/**
 * Tell a connection when it may be dead without knowing: the network or the reader came back, or
 * the machine slept. Otherwise it knows by the server's pings.
 */
export function keepAlive(connection: Pick<LiveConnection, "wake" | "pause">): void {
  window.addEventListener("online", () => void connection.wake());
  window.addEventListener("offline", () => connection.pause());
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) void connection.wake();
  });
  let due = Date.now() + TICK_MS;
  setInterval(() => {
    const late = Date.now() - due;
    due = Date.now() + TICK_MS;
    if (late > (document.hidden ? LATE_HIDDEN_MS : LATE_MS)) void connection.wake();
  }, TICK_MS);
}
