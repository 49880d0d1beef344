import { expect, test } from "vitest";
import { Backoff } from "../src/backoff";
import { Refill } from "../src/refill";

function setUp(answers: (() => Promise<string>)[]) {
  let asked = 0;
  const taken: string[] = [];
  const refill = new Refill(
    () => {
      asked += 1;
      return (answers[asked - 1] ?? (() => Promise.reject(new Error("unreachable"))))();
    },
    (answer) => taken.push(answer),
    new Backoff(1, 1),
  );
  return { refill, taken, asked: () => asked };
}

test("it tries until it works", async () => {
  const fail = () => Promise.reject(new Error("unreachable"));
  const { refill, taken, asked } = setUp([fail, fail, async () => "first"]);
  await refill.start();
  expect(taken).toEqual(["first"]);
  expect(asked()).toBe(3);
});

test("of two resets the later one's answer counts", async () => {
  const { refill, taken } = setUp([async () => "first", async () => "second"]);
  await Promise.all([refill.start(), refill.start()]);
  expect(taken).toEqual(["second"]);
});

test("a reader who was refused is not asked for any more", async () => {
  const { refill, taken, asked } = setUp([]);
  const started = refill.start();
  refill.stop();
  await started;
  expect(taken).toEqual([]);
  expect(asked()).toBe(1);
});
