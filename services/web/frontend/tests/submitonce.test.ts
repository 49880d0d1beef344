import { expect, test } from "vitest";
import { SentForms } from "../src/submitonce";

test("a form is sent once, another one too, and the first again after a while", () => {
  let now = 0;
  const sent = new SentForms<object>(() => now);
  const [comment, sign] = [{}, {}];
  expect(sent.send(comment)).toBe(true);
  now = 200;
  expect(sent.send(comment)).toBe(false);
  expect(sent.send(sign)).toBe(true);
  now = 5_000;
  expect(sent.send(comment)).toBe(true);
});
