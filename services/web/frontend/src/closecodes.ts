/** Why the page has stopped connecting, and what the reader can do about it. */
export interface Refusal {
  readonly cause: "signed-out" | "no-access" | "too-many" | "suspended" | "refused";
  readonly message: string;
}

export const SIGNED_OUT: Refusal = {
  cause: "signed-out",
  message: "You are signed out. Copy what you have not sent yet, then sign in again to go on.",
};

/** Whether the reader is one no longer, so that nothing of theirs may stay in the browser. */
export function endsLogin({ cause }: Refusal): boolean {
  return cause === "signed-out" || cause === "suspended";
}

export const NO_ACCESS: Refusal = {
  cause: "no-access",
  message: "You can no longer read this room. Ask its creator to add you, or choose another room.",
};

/** The server does not know who this is: the session has ended, or something is very wrong. */
export const NOBODY = 3501;

/** Below are the library's own codes. */
const FIRST_OF_SERVER = 100;

/** Codes of connections and of subscriptions that end for good. */
const BY_CODE: Readonly<Record<number, Refusal>> = {
  103: NO_ACCESS,
  2000: NO_ACCESS,
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

export function refusalFor(code: number): Refusal {
  const words =
    code < FIRST_OF_SERVER
      ? "An error on this page ended its connection"
      : "The server ended this connection";
  return (
    BY_CODE[code] ?? {
      cause: "refused",
      message: `${words} (code ${code}). Reload the page to try again.`,
    }
  );
}
