import type { Refusal } from "./closecodes";
import { element } from "./dom";

/** Say in a notice why the page has stopped connecting, beside what the reader can do about it. */
export function drawRefusal(notice: HTMLElement, refusal: Refusal): void {
  const [address, action] = wayOut(refusal, location.pathname + location.search);
  notice.replaceChildren(
    element("span", {}, refusal.message),
    element("a", { class: "button small", href: address }, action),
  );
}

/** Where the reader goes on from a page, and what the link there says. */
export function wayOut({ cause }: Refusal, path: string): readonly [string, string] {
  switch (cause) {
    case "signed-out":
    case "suspended":
      return [`/accounts/login/?${new URLSearchParams({ next: path })}`, "Sign in"];
    case "no-access":
      if (path.startsWith("/rooms/")) return ["/rooms/", "Go to rooms"];
      if (path.startsWith("/posts/")) return ["/feed/", "Go to the feed"];
      return [path, "Reload"];
    default:
      return [path, "Reload"];
  }
}
