import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Attendance } from "../src/attendance";
import { Backoff } from "../src/backoff";
import type { Person } from "../src/connection";

const alice: Person = { user: "1", username: "alice" };
const bob: Person = { user: "2", username: "bob" };

function setUp(clients = 2) {
  const room = {
    size: vi.fn(async () => ({ clients, users: clients })),
    people: vi.fn(async (): Promise<readonly Person[]> => [alice, bob]),
  };
  const drawn: [number, boolean][] = [];
  const attendance = new Attendance(
    () => room,
    (roster) => drawn.push([roster.count, roster.isCrowd]),
    new Backoff(500, 30_000, () => 1),
  );
  return { attendance, room, drawn };
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test("it asks who is there, and follows from then on", async () => {
  const { attendance, drawn } = setUp();
  await attendance.ask();
  attendance.hear(bob, false);
  expect(drawn).toEqual([
    [2, false],
    [1, false],
  ]);
});

test("nothing is shown before the answer: it would be the reader alone", async () => {
  const { attendance, drawn } = setUp();
  const asked = attendance.ask();
  attendance.hear(alice, true);
  expect(drawn).toEqual([]);
  await asked;
  expect(drawn).toEqual([[2, false]]);
});

test("nobody asks for the names of a crowd", async () => {
  const { attendance, room, drawn } = setUp(5_000);
  await attendance.ask();
  expect([drawn, room.people.mock.calls.length]).toEqual([[[5_000, true]], 0]);
});

test("a crowd that has gone home is asked for its names", async () => {
  const { attendance, room, drawn } = setUp();
  attendance.takeCount(300, 300);
  attendance.takeCount(150, 2);
  await vi.advanceTimersByTimeAsync(0);
  expect(room.people).toHaveBeenCalledTimes(1);
  expect(drawn.at(-1)).toEqual([2, false]);
});

test("a question without an answer is asked again", async () => {
  const { attendance, room, drawn } = setUp();
  room.size.mockRejectedValueOnce(new Error("away"));
  void attendance.ask();
  await vi.advanceTimersByTimeAsync(500);
  expect(drawn).toEqual([[2, false]]);
});

test("a connection that was lost is not asked anymore", async () => {
  const { attendance, room, drawn } = setUp();
  room.size.mockRejectedValueOnce(new Error("closed"));
  void attendance.ask();
  attendance.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([drawn, room.size.mock.calls.length]).toEqual([[], 1]);
});
