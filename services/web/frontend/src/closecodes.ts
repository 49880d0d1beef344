/** Why the page has stopped connecting, and what the reader can do about it. */
export interface Refusal {
  readonly cause: "signed-out" | "no-access" | "too-many" | "suspended" | "refused";
  readonly message: string;
}

export const SIGNED_OUT: Refusal = {
  cause: "signed-out",
  message: "You are signed out. Copy what you have not sent yet, then sign in again to go on.",
};

export const NO_ACCESS: Refusal = {
  cause: "no-access",
  message: "You can no longer read this room. Ask its creator to add you, or choose another room.",
};

const BY_CODE: Readonly<Record<number, Refusal>> = {
  3504: {
    cause: "too-many",
    message: "Carillon is open in too many tabs. Close some of them, then reload this page.",
  },
  3507: NO_ACCESS,
  4501: SIGNED_OUT,
  4503: {
    cause: "suspended",
    message: "Your account was closed or suspended. Sign in again to read why and what you can do.",
  },
};

/** Terminal codes tell the browser not to come back by itself: 3500-3999 and 4500-4999. */
export function isTerminal(code: number): boolean {
  return (code >= 3500 && code <= 3999) || (code >= 4500 && code <= 4999);
}

export function refusalFor(code: number): Refusal {
  return (
    BY_CODE[code] ?? {
      cause: "refused",
      message: `The server ended this connection (code ${code}). Reload the page to try again.`,
    }
  );
}
