import { describe, expect, test } from "vitest";
import { Unsent } from "../src/unsent";

const sent = (unsent: Unsent, now: number) => unsent.take(now).map(({ text }) => text);

function filled(count: number): Unsent {
  const unsent = new Unsent();
  for (let index = 0; index < count; index += 1) unsent.add(`m${index}`, `c${index}`, 0);
  return unsent;
}

test("messages leave in the order they were written, each once", () => {
  const unsent = filled(3);
  expect(sent(unsent, 0)).toEqual(["m0", "m1", "m2"]);
  expect(sent(unsent, 1)).toEqual([]);
});

test("no more than 20 leave in any second", () => {
  const unsent = filled(45);
  let total = 0;
  for (let now = 0; now <= 1_000; now += 10) {
    for (const { clientId } of unsent.take(now)) {
      total += 1;
      unsent.acknowledge(clientId);
    }
    if (now < 1_000) expect(total).toBeLessThanOrEqual(20);
  }
  expect(total).toBe(40);
});

test("no more than 20 are unconfirmed at a time", () => {
  const unsent = filled(30);
  expect(sent(unsent, 0)).toHaveLength(20);
  expect(sent(unsent, 60_000)).toEqual([]);
  unsent.acknowledge("c0");
  expect(sent(unsent, 60_001)).toEqual(["m20"]);
});

test("only the confirmation removes a message", () => {
  const unsent = filled(2);
  unsent.take(0);
  expect(unsent.acknowledge("c0")).toBe(true);
  expect(unsent.acknowledge("c0")).toBe(false);
  expect(unsent.acknowledge("somebody else's")).toBe(false);
  expect(unsent.pending.map(({ clientId }) => clientId)).toEqual(["c1"]);
});

test("what may have been lost is sent again with the same client id", () => {
  const unsent = filled(2);
  unsent.take(0);
  unsent.requeue("c0");
  unsent.requeue("c1");
  expect(unsent.take(5_000).map(({ clientId }) => clientId)).toEqual(["c0", "c1"]);
});

describe("a stored message", () => {
  const stored = () => {
    const unsent = filled(2);
    unsent.take(0);
    unsent.confirm("c0", { epoch: "e1", offset: 7 });
    return unsent;
  };
  const left = (unsent: Unsent) => unsent.pending.map(({ clientId }) => clientId);

  test("stays until the page has the log up to it", () => {
    const unsent = stored();
    expect(unsent.passed({ epoch: "e1", offset: 6 })).toBe(false);
    expect(left(unsent)).toEqual(["c0", "c1"]);
    expect(unsent.passed({ epoch: "e1", offset: 7 })).toBe(true);
    expect(left(unsent)).toEqual(["c1"]);
  });

  test("makes room for the next ones, and is not sent again", () => {
    const unsent = filled(21);
    unsent.take(0);
    unsent.confirm("c0", { epoch: "e1", offset: 7 });
    unsent.requeue("c0");
    expect(sent(unsent, 2_000)).toEqual(["m20"]);
  });

  test("of a log that was restored is sent again", () => {
    const unsent = stored();
    expect(unsent.passed({ epoch: "e2", offset: 9 })).toBe(false);
    expect(unsent.revive("e2")).toBe(true);
    expect(unsent.revive("e2")).toBe(false);
    expect(sent(unsent, 2_000)).toEqual(["m0"]);
  });

  test("does not fail when nothing more can be sent", () => {
    const unsent = stored();
    unsent.failAll("No.");
    expect(unsent.pending.map(({ state }) => state)).toEqual(["stored", "failed"]);
  });

  test("is sent again after a reload, with the same client id", () => {
    const restored = new Unsent();
    restored.restore(stored().serialize());
    expect(restored.take(0).map(({ clientId }) => clientId)).toEqual(["c0", "c1"]);
  });
});

describe("errors", () => {
  test("a postponed message holds back the later ones", () => {
    const unsent = filled(1);
    unsent.take(0);
    unsent.add("later", "c-later", 0);
    unsent.postpone("c0", 500, "Slower.", 0);
    expect(sent(unsent, 499)).toEqual([]);
    expect(sent(unsent, 500)).toEqual(["m0", "later"]);
  });

  test("five temporary errors make a failure that the reader can retry", () => {
    const unsent = filled(1);
    for (let round = 0; round < 5; round += 1) {
      expect(sent(unsent, round * 2_000)).toEqual(["m0"]);
      unsent.postpone("c0", 10, "Not now.", round * 2_000);
    }
    expect(unsent.pending[0]).toMatchObject({ state: "failed", problem: "Not now." });
    expect(sent(unsent, 60_000)).toEqual([]);
    unsent.retry("c0");
    expect(sent(unsent, 60_001)).toEqual(["m0"]);
  });

  test("a failed message does not hold back the others", () => {
    const unsent = filled(2);
    unsent.take(0);
    unsent.fail("c0", "Too long.");
    unsent.requeue("c0");
    unsent.requeue("c1");
    expect(sent(unsent, 2_000)).toEqual(["m1"]);
  });

  test("a message can be discarded", () => {
    const unsent = filled(1);
    unsent.fail("c0", "Too long.");
    unsent.discard("c0");
    expect(unsent.pending).toEqual([]);
  });
});

describe("over a reload", () => {
  test("what was sent is sent again, what failed stays failed", () => {
    const unsent = filled(2);
    unsent.take(0);
    unsent.fail("c1", "Too long.");
    const restored = new Unsent();
    restored.restore(unsent.serialize());
    expect(restored.pending[1]).toMatchObject({ state: "failed", problem: "Too long." });
    expect(restored.take(0).map(({ clientId }) => clientId)).toEqual(["c0"]);
  });

  test.each(["", "{}", "null", "[null, 7, {}]", '[{"clientId":1,"text":"x"}]'])(
    "%j restores nothing",
    (source) => {
      const unsent = new Unsent();
      unsent.restore(source);
      expect(unsent.pending).toEqual([]);
    },
  );
});
