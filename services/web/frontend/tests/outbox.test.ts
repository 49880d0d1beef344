import { describe, expect, test } from "vitest";
import { Outbox } from "../src/outbox";

const sent = (outbox: Outbox, now: number) => outbox.take(now).map(({ text }) => text);

function filled(count: number): Outbox {
  const outbox = new Outbox();
  for (let index = 0; index < count; index += 1) outbox.add(`m${index}`, `c${index}`, 0);
  return outbox;
}

test("messages leave in the order they were written, each once", () => {
  const outbox = filled(3);
  expect(sent(outbox, 0)).toEqual(["m0", "m1", "m2"]);
  expect(sent(outbox, 1)).toEqual([]);
});

test("no more than 20 leave in any second", () => {
  const outbox = filled(45);
  let total = 0;
  for (let now = 0; now <= 1_000; now += 10) {
    for (const { clientId } of outbox.take(now)) {
      total += 1;
      outbox.acknowledge(clientId);
    }
    if (now < 1_000) expect(total).toBeLessThanOrEqual(20);
  }
  expect(total).toBe(40);
});

test("no more than 20 are unconfirmed at a time", () => {
  const outbox = filled(30);
  expect(sent(outbox, 0)).toHaveLength(20);
  expect(sent(outbox, 60_000)).toEqual([]);
  outbox.acknowledge("c0");
  expect(sent(outbox, 60_001)).toEqual(["m20"]);
});

test("only the confirmation removes a message", () => {
  const outbox = filled(2);
  outbox.take(0);
  expect(outbox.acknowledge("c0")).toBe(true);
  expect(outbox.acknowledge("c0")).toBe(false);
  expect(outbox.acknowledge("somebody else's")).toBe(false);
  expect(outbox.pending.map(({ clientId }) => clientId)).toEqual(["c1"]);
});

test("after a lost connection it is all sent again with the same client ids", () => {
  const outbox = filled(2);
  outbox.take(0);
  outbox.requeue();
  expect(outbox.take(5_000).map(({ clientId }) => clientId)).toEqual(["c0", "c1"]);
});

describe("errors", () => {
  test("a postponed message holds back the later ones", () => {
    const outbox = filled(1);
    outbox.take(0);
    outbox.add("later", "c-later", 0);
    outbox.postpone("c0", 500, "Slower.", 0);
    expect(sent(outbox, 499)).toEqual([]);
    expect(sent(outbox, 500)).toEqual(["m0", "later"]);
  });

  test("five temporary errors make a failure that the reader can retry", () => {
    const outbox = filled(1);
    for (let round = 0; round < 5; round += 1) {
      expect(sent(outbox, round * 2_000)).toEqual(["m0"]);
      outbox.postpone("c0", 10, "Not now.", round * 2_000);
    }
    expect(outbox.pending[0]).toMatchObject({ state: "failed", problem: "Not now." });
    expect(sent(outbox, 60_000)).toEqual([]);
    outbox.retry("c0");
    expect(sent(outbox, 60_001)).toEqual(["m0"]);
  });

  test("a failed message does not hold back the others", () => {
    const outbox = filled(2);
    outbox.take(0);
    outbox.fail("c0", "Too long.");
    outbox.requeue();
    expect(sent(outbox, 2_000)).toEqual(["m1"]);
  });

  test("an error without a client id concerns the oldest unconfirmed message", () => {
    const outbox = filled(3);
    expect(outbox.oldestSent).toBeNull();
    outbox.take(0);
    outbox.acknowledge("c0");
    expect(outbox.oldestSent).toBe("c1");
  });

  test("a message can be discarded", () => {
    const outbox = filled(1);
    outbox.fail("c0", "Too long.");
    outbox.discard("c0");
    expect(outbox.pending).toEqual([]);
  });
});

test("a confirmation that does not come makes the connection doubtful", () => {
  const outbox = filled(1);
  expect(outbox.isOverdue(60_000)).toBe(false);
  outbox.take(60_000);
  expect(outbox.isOverdue(69_999)).toBe(false);
  expect(outbox.isOverdue(70_000)).toBe(true);
});

describe("over a reload", () => {
  test("what was sent is sent again, what failed stays failed", () => {
    const outbox = filled(2);
    outbox.take(0);
    outbox.fail("c1", "Too long.");
    const restored = new Outbox();
    restored.restore(outbox.serialize());
    expect(restored.pending[1]).toMatchObject({ state: "failed", problem: "Too long." });
    expect(restored.take(0).map(({ clientId }) => clientId)).toEqual(["c0"]);
  });

  test.each(["", "{}", "null", "[null, 7, {}]", '[{"clientId":1,"text":"x"}]'])(
    "%j restores nothing",
    (source) => {
      const outbox = new Outbox();
      outbox.restore(source);
      expect(outbox.pending).toEqual([]);
    },
  );
});
