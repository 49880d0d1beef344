import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { keepAlive } from "../src/keepalive";

const TICK = 10_000;

function setUp() {
  const page = Object.assign(new EventTarget(), { hidden: false });
  const browser = new EventTarget();
  vi.stubGlobal("document", page);
  vi.stubGlobal("window", browser);
  const connection = { wake: vi.fn(async () => undefined), pause: vi.fn() };
  keepAlive(connection);
  const show = (hidden: boolean) => {
    page.hidden = hidden;
    page.dispatchEvent(new Event("visibilitychange"));
  };
  const sleep = (milliseconds: number) => {
    vi.setSystemTime(Date.now() + milliseconds);
    vi.advanceTimersByTime(TICK);
  };
  return { connection, browser, show, sleep };
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("the network's return wakes the connection, its loss drops it", () => {
  const { connection, browser } = setUp();
  browser.dispatchEvent(new Event("offline"));
  expect(connection.pause).toHaveBeenCalledTimes(1);
  browser.dispatchEvent(new Event("online"));
  expect(connection.wake).toHaveBeenCalledTimes(1);
});

test("the reader's return wakes it, their leaving does not", () => {
  const { connection, show } = setUp();
  show(true);
  expect(connection.wake).not.toHaveBeenCalled();
  show(false);
  expect(connection.wake).toHaveBeenCalledTimes(1);
});

test("a timer that comes much too late tells of sleep", () => {
  const { connection, sleep } = setUp();
  sleep(29_000);
  expect(connection.wake).not.toHaveBeenCalled();
  sleep(31_000);
  expect(connection.wake).toHaveBeenCalledTimes(1);
});

test("out of sight a timer may be a minute late", () => {
  const { connection, show, sleep } = setUp();
  show(true);
  sleep(60_000);
  expect(connection.wake).not.toHaveBeenCalled();
  sleep(600_000);
  expect(connection.wake).toHaveBeenCalledTimes(1);
});
