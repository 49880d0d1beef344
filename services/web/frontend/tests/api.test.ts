import { afterEach, describe, expect, test, vi } from "vitest";
import { readAnnouncements, roomPosition } from "../src/api";

function answer(status: number, body: unknown) {
  const fetched = vi.fn(async (_path: string) => new Response(JSON.stringify(body), { status }));
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("how far a room is", () => {
  test("costs one message", async () => {
    const fetched = answer(200, { messages: [], position: "e1.7", more: false });
    expect(await roomPosition("lobby")).toEqual({ epoch: "e1", offset: 7 });
    expect(fetched.mock.calls[0]?.[0]).toBe("/api/v1/rooms/lobby/messages?limit=1");
  });

  test.each([429, 500, 502, 503])("%i: somebody is there, and cannot say", async (status) => {
    answer(status, {});
    expect(await roomPosition("lobby")).toBeNull();
  });

  test.each([401, 403, 404])("%i: the connection will be told why", async (status) => {
    answer(status, {});
    await expect(roomPosition("lobby")).rejects.toMatchObject({ status });
  });

  test("no answer", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("failed")));
    await expect(roomPosition("lobby")).rejects.toMatchObject({ status: 0 });
  });
});

test("announcements of any other shape are left out", async () => {
  const good = { id: 1, message: "hi", timestamp: "2026-11-22T16:00:00Z" };
  answer(200, { announcements: [good, { id: "2" }, null], position: null });
  expect(await readAnnouncements()).toEqual([good]);
});
