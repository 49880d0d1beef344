import { describe, expect, test } from "vitest";
import type { Person } from "../src/connection";
import { sorted } from "../src/peoplemenu";
import { Roster } from "../src/roster";

const person = (user: string, username: string | null = `u${user}`): Person => ({ user, username });
const users = (roster: Roster) => roster.people.map(({ user }) => user);

function filled(...present: string[]): Roster {
  const roster = new Roster();
  roster.ask();
  roster.fill(present.map((user) => person(user)));
  return roster;
}

test("a user with two tabs is one", () => {
  const roster = filled("1", "2", "1");
  expect([users(roster), roster.count]).toEqual([["1", "2"], 2]);
  roster.hear(person("2"), true);
  expect(roster.count).toBe(2);
});

test("joins and leaves change it", () => {
  const roster = filled("1");
  roster.hear(person("2"), true);
  roster.hear(person("1"), false);
  roster.hear(person("9"), false);
  expect(users(roster)).toEqual(["2"]);
});

test("what is told while the list is read is put on top of it", () => {
  const roster = filled("1", "2");
  roster.ask();
  roster.hear(person("2"), false);
  roster.hear(person("3"), true);
  roster.fill([person("1"), person("2")]);
  expect(users(roster)).toEqual(["1", "3"]);
});

test("a list that is read again replaces the old one", () => {
  const roster = filled("1", "2");
  roster.ask();
  roster.fill([person("1")]);
  expect(users(roster)).toEqual(["1"]);
});

describe("a crowd", () => {
  test("has a count and no list", () => {
    const roster = filled("1", "2");
    expect(roster.takeCount(240, 201)).toBe(false);
    expect([roster.isCrowd, roster.count, users(roster)]).toEqual([true, 201, []]);
  });

  test("that has become small is asked for its names, and counted until they come", () => {
    const roster = filled();
    roster.takeCount(240, 201);
    expect(roster.takeCount(150, 140)).toBe(true);
    expect(roster.count).toBe(140);
    roster.ask();
    roster.fill([person("1")]);
    expect([roster.isCrowd, roster.count]).toEqual([false, 1]);
  });

  test("is not listed by who comes late", () => {
    const roster = filled();
    roster.takeCount(240, 201);
    roster.hear(person("1"), true);
    expect(users(roster)).toEqual([]);
  });

  test("begins above two hundred clients", () => {
    expect([Roster.isTooMany(200), Roster.isTooMany(201)]).toEqual([false, true]);
  });
});

test("the reader stands first, then names in order, then whoever has none", () => {
  const people = [person("4", null), person("3", "zoe"), person("1", "mia"), person("2", "anna")];
  expect(sorted(people, "1").map(({ user }) => user)).toEqual(["1", "2", "3", "4"]);
});
