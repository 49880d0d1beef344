import { describe, expect, test } from "vitest";
import { TypingSignal, Typists, typingWords } from "../src/typing";

test("others are told at once, and then at most every three seconds", () => {
  const signal = new TypingSignal();
  const told = [];
  for (let now = 0; now < 10_000; now += 100) if (signal.isDue(now)) told.push(now);
  expect(told).toEqual([0, 3_000, 6_000, 9_000]);
});

describe("those who type", () => {
  test("are shown for five seconds after they were heard last", () => {
    const typists = new Typists();
    typists.hear("bob", 0);
    typists.hear("bob", 3_000);
    expect(typists.names(7_999)).toEqual(["bob"]);
    expect(typists.names(8_000)).toEqual([]);
  });

  test("stand in the order in which they began", () => {
    const typists = new Typists();
    typists.hear("bob", 0);
    typists.hear("carol", 1);
    typists.hear("bob", 2);
    expect(typists.names(3)).toEqual(["bob", "carol"]);
  });

  test("are done when their message comes", () => {
    const typists = new Typists();
    typists.hear("bob", 0);
    expect([typists.settle("carol"), typists.settle("bob")]).toEqual([false, true]);
    expect(typists.names(1)).toEqual([]);
  });
});

test.each([
  [[], ""],
  [["bob"], "bob is typing…"],
  [["bob", "carol"], "bob and carol are typing…"],
  [["bob", "carol", "dave"], "3 people are typing…"],
])("%j: %s", (names, words) => expect(typingWords(names)).toBe(words));
