import type { Clock } from "./format";

/**
 * Write the moments of a page that the server has made as its scripts write theirs: in the reader's
 * time, where the server knows only its own. Days without a time stay as they are.
 */
export function drawMoments(clock: Clock): void {
  for (const element of document.querySelectorAll<HTMLTimeElement>('time[datetime*="T"]')) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    element.textContent = clock.momentOf(at);
    element.title = clock.fullTimeOf(at);
  }
}
