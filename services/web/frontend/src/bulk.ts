/** The page of one bulk job: its bar moves, and its buttons fit its state. */

import { readBulkJob } from "./api";
import { JobBoard } from "./jobboard";
import { readJson, readPage } from "./page";
import { isFinal, JobProgress } from "./progress";
import { type JobFrame, readJob } from "./wirejob";

/** What the starter's page hears by itself need not be asked for. */
const QUIET_MS = 3_000;
/** Parts of the page that the server draws are read again no more often than this. */
const REDRAW_MS = 2_000;

class JobPage {
  private heardAt = 0;
  private asking = false;
  private stale = false;
  private redrawing = false;

  constructor(
    private readonly progress: JobProgress,
    private readonly board: JobBoard,
  ) {}

  start(): void {
    this.board.draw(this.progress, null);
    document.addEventListener("carillon:job", (event) => {
      this.take((event as CustomEvent<JobFrame>).detail);
    });
    document.addEventListener("visibilitychange", () => void this.ask());
    setInterval(() => void this.ask(), QUIET_MS);
    setInterval(() => void this.redraw(), REDRAW_MS);
  }

  private take(job: JobFrame): void {
    if (job.id !== this.progress.job.id) return;
    this.heardAt = Date.now();
    const before = this.progress.job;
    const change = this.progress.take(job);
    this.board.draw(this.progress, change.words);
    if (change.state || job.failed !== before.failed) this.stale = true;
    // A button that no longer does anything must go at once.
    if (change.state) void this.redraw();
  }

  /** For staff who did not start the job, and for a connection that is down. */
  private async ask(): Promise<void> {
    const quiet = Date.now() - this.heardAt >= QUIET_MS;
    if (document.hidden || this.asking || !quiet || isFinal(this.progress.job.state)) return;
    this.asking = true;
    const asked = this.heardAt;
    try {
      const answer = await readBulkJob(this.progress.job.id);
      // What was heard meanwhile is newer than the answer.
      if (answer !== null && asked === this.heardAt) this.take(answer);
    } catch {
      // The next round asks again; the numbers on the page are those of the last answer.
    } finally {
      this.asking = false;
    }
  }

  /** Have the server draw what depends on the state: buttons, failures, parked chunks. */
  private async redraw(): Promise<void> {
    if (!this.stale || this.redrawing || document.hidden) return;
    this.redrawing = true;
    this.stale = false;
    try {
      await this.board.redraw();
    } catch {
      this.stale = true;
    } finally {
      this.redrawing = false;
    }
  }
}

const job = readJob(readJson("job-data"));
const page = readPage();
if (job !== null && page !== null) {
  new JobPage(new JobProgress(job), new JobBoard(page.language)).start();
}
