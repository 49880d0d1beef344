const TONES = 8;

/** Up to two letters that stand for a name; `templatetags/people.py` agrees. */
export function initials(name: string): string {
  const words = name.split(/[\s._+@-]+/u).filter((word) => word !== "");
  const letters = words.slice(0, 2).map((word) => [...word][0]);
  return letters.join("").toUpperCase() || "?";
}

/** The style sheet's tone for a name, the same on every page. */
export function tone(name: string): string {
  let sum = 0;
  for (const character of name) sum += character.codePointAt(0) ?? 0;
  return `tone-${sum % TONES}`;
}
