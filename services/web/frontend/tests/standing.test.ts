import { describe, expect, test } from "vitest";
import type { Position } from "../src/position";
import { StandingChannel } from "../src/standing";
import type { Published } from "../src/wire";
import { at, ids, recorder, said } from "./scripted";

const begun = (position: Position | null) => ({ position, wasRecovering: false, recovered: false });

function setUp(from: Position | null) {
  const { events, seen } = recorder();
  const questions: { since: Position; limit: number }[] = [];
  const answers: ((answer: readonly Published[] | null) => Promise<void>)[] = [];
  const channel = new StandingChannel(from, events, (since, limit) => {
    questions.push({ since, limit });
    return new Promise((resolve, reject) => {
      answers.push(async (answer) => {
        if (answer === null) reject(new Error("closed"));
        else resolve(answer);
        await new Promise((done) => setTimeout(done));
      });
    });
  });
  return { channel, seen, questions, answers };
}

test("where nothing has come since the page was made, nothing is asked", () => {
  const { channel, seen, questions } = setUp(at(7));
  channel.onSubscribed(begun(at(7)));
  channel.onPublished(said(8));
  expect([questions, ids(seen), seen.resets]).toEqual([[], [8], []]);
  expect(seen.publications[0]).toMatchObject({ position: at(8) });
});

describe("what came before the connection", () => {
  test("is read from the log, and what comes meanwhile waits", async () => {
    const { channel, seen, questions, answers } = setUp(at(7));
    channel.onSubscribed(begun(at(9)));
    channel.onPublished(said(10));
    expect(questions).toEqual([{ since: at(7), limit: 2 }]);
    expect(ids(seen)).toEqual([]);
    await answers[0]?.([said(8), said(9)]);
    channel.onPublished(said(11));
    expect(ids(seen)).toEqual([8, 9, 10, 11]);
    expect(channel.position).toEqual(at(11));
  });

  test.each([
    ["is gone from the log", [said(9)]],
    ["has a hole", [said(8), said(10)]],
    ["cannot be read", null],
  ])("%s: the page reads again", async (_case, answer) => {
    const { channel, seen, answers } = setUp(at(7));
    channel.onSubscribed(begun(at(9)));
    channel.onPublished(said(10));
    await answers[0]?.(answer);
    expect([seen.resets, ids(seen)]).toEqual([[at(9)], [10]]);
    expect(channel.position).toEqual(at(10));
  });

  test("is too much to be told one by one", () => {
    const { channel, seen, questions } = setUp(at(7));
    channel.onSubscribed(begun(at(308)));
    expect([questions, seen.resets]).toEqual([[], [at(308)]]);
  });

  test("is overtaken by a reset", async () => {
    const { channel, seen, answers } = setUp(at(7));
    channel.onSubscribed(begun(at(9)));
    channel.onSubscribed({ position: at(3, "e2"), wasRecovering: true, recovered: false });
    await answers[0]?.([said(8), said(9)]);
    expect([seen.resets, ids(seen)]).toEqual([[at(3, "e2")], []]);
  });
});

test.each([
  ["another life", at(7), at(9, "e2")],
  ["an older database", at(7), at(5)],
  ["an empty channel where something has come since", null, at(1)],
])("%s is read again", (_case, from, head) => {
  const { channel, seen } = setUp(from);
  channel.onSubscribed(begun(head));
  expect(seen.resets).toEqual([head]);
});

test("a channel that was empty and still is goes on from there", () => {
  const { channel, seen } = setUp(null);
  channel.onSubscribed(begun(at(0)));
  channel.onPublished(said(1));
  expect([seen.resets, ids(seen), channel.position]).toEqual([[], [1], at(1)]);
});

test("what a recovery brings follows", () => {
  const { channel, seen } = setUp(at(7));
  channel.onSubscribed({ position: at(7), wasRecovering: true, recovered: true });
  channel.onPublished(said(8));
  expect([seen.resets, ids(seen)]).toEqual([[], [8]]);
});

test("a recovery that was refused has the page read again", () => {
  const { channel, seen } = setUp(at(7));
  channel.onSubscribed({ position: at(9), wasRecovering: true, recovered: false });
  expect([seen.resets, channel.position]).toEqual([[at(9)], at(9)]);
});
