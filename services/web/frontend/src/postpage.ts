/** A post's page, read again over HTTP: its comments, and where its channel stands. */

import { ApiError } from "./api";
import { readJson } from "./page";
import { type Position, parsePosition } from "./position";

const TIMEOUT_MS = 15_000;

/** What the server wrote into a post's page for its script. */
export interface PostData {
  readonly id: number;
  readonly channel: string;
  /** Read before the comments were: the connection starts here and nothing lies between. */
  readonly position: Position | null;
  /** The reader may delete every comment here. */
  readonly moderates: boolean;
}

export function readPostData(page: Document): PostData | null {
  const data = readJson("post-data", page);
  if (data === null) return null;
  return {
    id: Number(data.id),
    channel: String(data.channel),
    position: parsePosition(data.position),
    moderates: data.moderates === true,
  };
}

/** The page as it is now. Rejected when nobody answers, or not with the page. */
export async function readPost(path: string): Promise<Document> {
  let response: Response;
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    response = await fetch(path, { cache: "no-store", redirect: "error", signal });
  } catch {
    throw new ApiError(0, "The server cannot be reached.");
  }
  if (!response.ok) throw new ApiError(response.status, "The post cannot be read.");
  return new DOMParser().parseFromString(await response.text(), "text/html");
}
