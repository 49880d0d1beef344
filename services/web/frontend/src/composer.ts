import { part } from "./page";
import type { Drawer } from "./storage";

const MAX_CHARACTERS = 8_000;
/** The room that is left is shown when it becomes little. */
const WARN_CHARACTERS = 500;

/** The field in which a message is written, with its draft. */
export class Composer {
  private readonly form = part("#composer", HTMLFormElement);
  private readonly field = part("#composer-text", HTMLTextAreaElement);
  private readonly button = part("#composer-send", HTMLButtonElement);
  private readonly hint = part("#composer-hint", HTMLElement);
  private enabled = true;

  constructor(
    private readonly drawer: Drawer,
    private readonly onSend: (text: string) => void,
    private readonly onType: () => void,
  ) {
    this.field.value ||= drawer.read() ?? "";
    this.field.addEventListener("input", () => {
      this.onInput();
      if (!isBlank(this.field.value)) this.onType();
    });
    this.field.addEventListener("keydown", (event) => this.onKey(event));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.onInput();
  }

  /** Whether sending makes sense at all; what is written stays either way. */
  enable(enabled: boolean): void {
    this.enabled = enabled;
    this.onInput();
  }

  focus(): void {
    this.field.focus();
  }

  private send(): void {
    const text = this.field.value;
    if (!this.enabled || isBlank(text) || length(text) > MAX_CHARACTERS) return;
    // Whoever takes it writes it down first; only then does the draft go.
    this.onSend(text);
    this.field.value = "";
    this.onInput();
    this.field.focus();
  }

  private onKey(event: KeyboardEvent): void {
    // Enter that ends the composition of a Japanese or Chinese word is not meant for us. Safari
    // ends the composition first and tells by the key code 229 alone.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    this.send();
  }

  private onInput(): void {
    const text = this.field.value;
    const left = MAX_CHARACTERS - length(text);
    this.drawer.write(text === "" ? null : text);
    this.button.disabled = !this.enabled || isBlank(text) || left < 0;
    this.hint.classList.toggle("problem", left < 0);
    if (left < 0) this.hint.textContent = `${-left} characters too many. Shorten the message.`;
    else this.hint.textContent = left <= WARN_CHARACTERS ? `${left} characters left.` : "";
    this.grow();
  }

  private grow(): void {
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight}px`;
  }
}

/** Characters as the server counts them: code points, not UTF-16 units. */
function length(text: string): number {
  return [...text].length;
}

/** Nothing that a reader would see: white space and invisible format characters. */
function isBlank(text: string): boolean {
  return text.replace(/[\s\p{Cf}]/gu, "") === "";
}
