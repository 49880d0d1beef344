import { part } from "./page";

/** Ask the question of a dialog of the page; resolves to whether the reader agreed. */
export function confirmed(selector: string): Promise<boolean> {
  const dialog = part(selector, HTMLDialogElement);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
