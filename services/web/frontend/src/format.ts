const MOMENT: Intl.DateTimeFormatOptions = {
  day: "numeric",
  month: "short",
  hour: "numeric",
  minute: "2-digit",
};

/** Times of the reader's device, in the language of the page. */
export class Clock {
  private readonly time: Intl.DateTimeFormat;
  private readonly moment: Intl.DateTimeFormat;
  private readonly momentOfYear: Intl.DateTimeFormat;
  private readonly day: Intl.DateTimeFormat;
  private readonly full: Intl.DateTimeFormat;
  private readonly key: Intl.DateTimeFormat;

  constructor(
    language: string | undefined,
    private readonly now: () => Date = () => new Date(),
  ) {
    this.time = new Intl.DateTimeFormat(language, { timeStyle: "short" });
    this.moment = new Intl.DateTimeFormat(language, MOMENT);
    this.momentOfYear = new Intl.DateTimeFormat(language, { ...MOMENT, year: "numeric" });
    this.day = new Intl.DateTimeFormat(language, {
      weekday: "long",
      day: "numeric",
      month: "long",
      year: "numeric",
    });
    this.full = new Intl.DateTimeFormat(language, {
      dateStyle: "full",
      timeStyle: "medium",
    });
    this.key = new Intl.DateTimeFormat("en-CA", { dateStyle: "short" });
  }

  timeOf(at: Date): string {
    return this.time.format(at);
  }

  /** Day and time, for lists that span days; with the year where it is another one. */
  momentOf(at: Date): string {
    const isThisYear = at.getFullYear() === this.now().getFullYear();
    return (isThisYear ? this.moment : this.momentOfYear).format(at);
  }

  fullTimeOf(at: Date): string {
    return this.full.format(at);
  }

  /** The same text for the same calendar day of the reader. */
  dayKey(at: Date): string {
    return this.key.format(at);
  }

  dayName(at: Date): string {
    const key = this.dayKey(at);
    const now = this.now();
    if (key === this.dayKey(now)) return "Today";
    // Days of 23 and 25 hours exist, so the day before is looked for hour by hour.
    for (let hours = 1; hours <= 26; hours += 1) {
      const earlier = this.dayKey(new Date(now.getTime() - hours * 3_600_000));
      if (earlier !== this.dayKey(now)) return earlier === key ? "Yesterday" : this.day.format(at);
    }
    return this.day.format(at);
  }
}
