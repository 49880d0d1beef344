import type { Heads } from "./lifecheck";
import type { Publication } from "./wire";

/** A channel as a plain endpoint carries it. */
export interface EndpointChannel {
  readonly name: string;
  /** The query parameter that takes the position. */
  readonly parameter: string;
  readonly types: readonly Publication["type"][];
}

/** Whether the server would let this reader in, asked over HTTP. */
export type Access = "allowed" | "signed-out" | "no-access" | "unknown";

export interface Endpoint {
  readonly url: string;
  readonly channels: readonly EndpointChannel[];
  /** Browsers hide why a handshake failed, so this is asked after one did. */
  checkAccess(): Promise<Access>;
  /**
   * How far the server is in this endpoint's channels, asked over HTTP; null when it cannot say
   * just now. Rejected when it does not answer, or not to this reader.
   */
  readPositions(): Promise<Heads | null>;
}
