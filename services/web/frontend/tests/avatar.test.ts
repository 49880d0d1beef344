import { expect, test } from "vitest";
import { initials, tone } from "../src/avatar";

test.each([
  ["alice", "A"],
  ["ada.lovelace", "AL"],
  ["a-b-c", "AB"],
  ["", "?"],
  ["@@", "?"],
])("%j is shown as %s", (name, letters) => expect(initials(name)).toBe(letters));

test("a name's tone is the one that the server's templates give it", () => {
  // tests/web/test_people.py expects the same of the other side.
  expect([tone("alice"), tone("bob"), tone("admin")]).toEqual(["tone-6", "tone-3", "tone-1"]);
});
