import { afterEach, describe, expect, test, vi } from "vitest";
import {
  changeNotifications,
  isSignedIn,
  openAnnouncements,
  readInbox,
  seeAnnouncement,
} from "../src/api";
import { notification } from "./samples";

function answer(status: number, body: unknown) {
  const fetched = vi.fn(
    async (_path: string, _init?: RequestInit) => new Response(JSON.stringify(body), { status }),
  );
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("whether the reader is signed in", () => {
  test.each([
    [200, true],
    [401, false],
    [500, null],
    [429, null],
  ])("%i: %s", async (status, expected) => {
    const fetched = answer(status, {});
    expect(await isSignedIn()).toBe(expected);
    expect(fetched.mock.calls[0]?.[0]).toBe("/api/v1/session");
  });

  test("no answer says nothing", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("failed")));
    expect(await isSignedIn()).toBeNull();
  });
});

test("announcements of any other shape are left out", async () => {
  const good = { id: 1, message: "hi", timestamp: "2026-11-22T16:00:00Z" };
  answer(200, { announcements: [good, { id: "2" }, null], position: null });
  expect(await openAnnouncements()).toEqual([{ ...good, expiresAt: null }]);
});

test("a page of the inbox is asked for as its filter says", async () => {
  const row = { ...notification(8), read: false, archived: false };
  const fetched = answer(200, {
    notifications: [row, { id: "7" }],
    unread: 3,
    position: "e1.7",
    next: 8,
  });
  const page = await readInbox({ view: "unread", category: "posts" }, 21, 20);
  expect(page).toEqual({
    items: [{ ...notification(8), unread: true, archived: false }],
    unread: 3,
    position: { epoch: "e1", offset: 7 },
    next: 8,
  });
  expect(fetched.mock.calls[0]?.[0]).toBe(
    "/api/v1/notifications?view=unread&limit=20&category=posts&before=21",
  );
});

describe("what a reader does carries the token", () => {
  test.each([
    [[7], '{"ids":[7]}'],
    ["all", '{"all":true}'],
  ] as const)("with %j", async (ids, body) => {
    const fetched = answer(200, { unread: 2 });
    expect(await changeNotifications("read", ids, "token")).toBe(2);
    expect(fetched).toHaveBeenCalledWith(
      "/api/v1/notifications/read",
      expect.objectContaining({
        method: "POST",
        body,
        headers: { "X-CSRFToken": "token", "Content-Type": "application/json" },
      }),
    );
  });

  test("without a body", async () => {
    const fetched = answer(200, {});
    await seeAnnouncement(4, "token");
    expect(fetched).toHaveBeenCalledWith(
      "/api/v1/announcements/4/seen",
      expect.objectContaining({ method: "POST", headers: { "X-CSRFToken": "token" } }),
    );
  });
});
