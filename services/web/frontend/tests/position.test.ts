import { describe, expect, test } from "vitest";
import { formatPosition, parsePosition } from "../src/position";

describe("written positions", () => {
  test.each(["abc.0", "a-B9.123456789012345"])("%s is read back as it was", (text) => {
    const position = parsePosition(text);
    expect(position && formatPosition(position)).toBe(text);
  });

  test.each(["", "abc", "abc.", ".1", "abc.-1", "abc.1.2", "a_c.1", "abc.1e3"])(
    "%j is no position",
    (text) => expect(parsePosition(text)).toBeNull(),
  );
});
