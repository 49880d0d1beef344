import { part } from "./page";
import { countText, etaText, type JobProgress, rateText, stateWords, troubleOf } from "./progress";

const COUNTS = ["done", "total", "delivered", "muted", "gone", "failed"] as const;

/** The job on its page, as the template has laid it out. */
export class JobBoard {
  private readonly section = part("#job-progress", HTMLElement);
  private readonly bar = part("#job-bar", HTMLProgressElement);
  private readonly percent = part("#job-percent", HTMLElement);
  private readonly state = part("#job-state", HTMLElement);
  private readonly pace = part("#job-pace", HTMLElement);
  private readonly announcer = part("#job-announcer", HTMLElement);

  constructor(private readonly language: string | undefined) {}

  /** Show a job; `words` are read out by screen readers. */
  draw(progress: JobProgress, words: string | null): void {
    const { job } = progress;
    this.section.hidden = job.state === "draft";
    this.bar.value = progress.percent;
    this.bar.dataset.state = job.state;
    this.percent.textContent = progress.percentText();
    this.state.textContent = stateWords(job, this.language);
    this.state.dataset.state = job.state;
    this.state.dataset.trouble = this.bar.dataset.trouble = troubleOf(job);
    for (const name of COUNTS) {
      part(`[data-count="${name}"]`, HTMLElement).textContent = countText(job[name], this.language);
    }
    const pace = [rateText(job, this.language), etaText(job)].filter((text) => text !== "");
    this.pace.textContent = pace.join(" · ");
    if (words !== null) this.announcer.textContent = words;
  }

  /** Replace the parts that the server draws; rejected when it does not answer with the page. */
  async redraw(): Promise<void> {
    const response = await fetch(location.href, { cache: "no-store", redirect: "error" });
    if (!response.ok) throw new Error(`The page cannot be read (${response.status}).`);
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const old of document.querySelectorAll<HTMLElement>("[data-redrawn]")) {
      const found = fresh.getElementById(old.id);
      // Whoever is about to press a button that is still the same keeps it.
      if (found === null || found.dataset.version === old.dataset.version) continue;
      const hadFocus = old.contains(document.activeElement);
      old.replaceWith(document.adoptNode(found));
      if (hadFocus) found.focus();
    }
  }
}
