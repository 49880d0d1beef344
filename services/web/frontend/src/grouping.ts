/** What the grouping of a conversation depends on. */
export interface Groupable {
  readonly username: string;
  readonly at: Date;
  readonly system: boolean;
}

/** How one message stands among its neighbours. */
export interface Placement {
  /** First of its day: a separator goes above. */
  readonly startsDay: boolean;
  /** First of a run of one author: the name goes above. */
  readonly startsRun: boolean;
  /** Last of a run: the avatar goes beside. */
  readonly endsRun: boolean;
}

const RUN_GAP_MS = 5 * 60_000;

export function placements(
  items: readonly Groupable[],
  dayOf: (at: Date) => string,
): readonly Placement[] {
  const days = items.map((item) => dayOf(item.at));
  const joins = (index: number): boolean => {
    const item = items[index];
    const previous = items[index - 1];
    return (
      item !== undefined &&
      previous !== undefined &&
      days[index] === days[index - 1] &&
      !item.system &&
      !previous.system &&
      item.username === previous.username &&
      item.at.getTime() - previous.at.getTime() < RUN_GAP_MS
    );
  };
  return items.map((_, index) => ({
    startsDay: days[index] !== days[index - 1],
    startsRun: !joins(index),
    endsRun: !joins(index + 1),
  }));
}
