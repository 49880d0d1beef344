import { expect, test } from "vitest";
import { etaText, JobProgress, rateText, stateWords, troubleOf } from "../src/progress";
import type { JobFrame } from "../src/wirejob";

function job(fields: Partial<JobFrame> = {}): JobFrame {
  return {
    type: "job",
    id: 7,
    state: "running",
    kind: "notifications.message",
    total: 1000,
    done: 0,
    delivered: 0,
    muted: 0,
    gone: 0,
    failed: 0,
    percent: 0,
    rate: null,
    etaSeconds: null,
    ...fields,
  };
}

test("the bar never falls, whatever comes late", () => {
  const progress = new JobProgress(job());
  const shown = [100, 400, 300, 350, 900].map((done) => {
    progress.take(job({ done, delivered: done, percent: done / 10 }));
    return progress.percent;
  });
  expect(shown).toEqual([10, 40, 40, 40, 90]);
});

test("late counts are not shown, the newer state is", () => {
  const progress = new JobProgress(job({ done: 500, delivered: 500, percent: 50 }));
  progress.take(job({ state: "paused", done: 400, delivered: 400, percent: 40 }));
  expect(progress.job).toMatchObject({ state: "paused", done: 500, delivered: 500 });
});

test("planning that raises the total takes nothing back", () => {
  const progress = new JobProgress(job({ state: "planning", total: 1000, done: 500, percent: 50 }));
  progress.take(job({ state: "planning", total: 5000, done: 500, percent: 10 }));
  expect(progress.percent).toBe(50);
  expect(progress.job.total).toBe(5000);
});

test("it is full when the job is finished, and not before", () => {
  const progress = new JobProgress(job());
  progress.take(job({ done: 999, percent: 99.9 }));
  expect(progress.percentText()).toBe("99 %");
  progress.take(job({ done: 1000, percent: 100 }));
  expect(progress.percentText()).toBe("99 %");
  progress.take(job({ state: "finished", done: 1000, percent: 100 }));
  expect(progress.percentText()).toBe("100 %");
});

test("a job that ends with parked chunks is not full", () => {
  const progress = new JobProgress(job({ done: 500, percent: 50 }));
  progress.take(job({ state: "finished", done: 900, percent: 90 }));
  expect(progress.percentText()).toBe("90 %");
});

test("a cancelled job stays where it was", () => {
  const progress = new JobProgress(job({ done: 500, percent: 50 }));
  progress.take(job({ state: "cancelled", done: 500, percent: 50 }));
  expect(progress.summary()).toBe("Cancelled, 50 %");
});

test("a retry begins where the server says", () => {
  const progress = new JobProgress(
    job({ state: "finished", done: 1000, failed: 100, percent: 100 }),
  );
  expect(progress.percent).toBe(100);
  progress.take(job({ state: "running", done: 900, percent: 90 }));
  expect(progress.percent).toBe(90);
  expect(progress.job).toMatchObject({ done: 900, failed: 0 });
});

test("a screen reader hears of quarters and of states", () => {
  const progress = new JobProgress(job({ state: "planning" }));
  const heard = [
    job(),
    ...[10, 20, 26, 30, 49, 51, 74, 76, 99].map((percent) => job({ percent, done: percent * 10 })),
    job({ state: "finished", percent: 100, done: 1000 }),
  ].map((next) => progress.take(next).words);
  expect(heard.filter((words) => words !== null)).toEqual([
    "Running, 0 %",
    "Running, 26 %",
    "Running, 51 %",
    "Running, 76 %",
    "Finished, 100 %",
  ]);
});

test.each([
  [job({ state: "finished", done: 1000 }), "Finished", ""],
  [job({ state: "finished", done: 1000, failed: 3 }), "Finished, 3 failed", "some"],
  [job({ state: "finished", done: 1000, failed: 1000 }), "Finished, 1,000 failed", "all"],
  [job({ state: "finished", done: 900, failed: 1 }), "Finished, 101 failed", "some"],
  [job({ state: "finished", total: 0 }), "Finished", ""],
  [job({ done: 500, failed: 2 }), "Running, 2 failed", "some"],
  [job({ done: 500 }), "Running", ""],
])("who could not be told is said beside the state (%#)", (frame, words, trouble) => {
  expect(stateWords(frame, "en")).toBe(words);
  expect(troubleOf(frame)).toBe(trouble);
});

test.each([
  [0, "a few seconds left"],
  [9.9, "a few seconds left"],
  [10, "about 10 seconds left"],
  [41, "about 50 seconds left"],
  [55, "about 1 minute left"],
  [150, "about 3 minutes left"],
  [3550, "about 59 minutes left"],
  [3600, "about 1 hour left"],
  [9000, "about 3 hours left"],
])("%d seconds are %s", (etaSeconds, words) => {
  expect(etaText(job({ etaSeconds }))).toBe(words);
});

test("rate and time are said of what moves only", () => {
  const known = { rate: 1234.5, etaSeconds: 60 };
  expect(rateText(job(known), "en")).toBe("1,235 per second");
  for (const state of ["draft", "paused", "finished", "cancelled"] as const) {
    expect(rateText(job({ ...known, state }))).toBe("");
    expect(etaText(job({ ...known, state }))).toBe("");
  }
  expect(rateText(job())).toBe("");
});
