import type { WireMessage } from "../src/wiremessage";
import type { WireNotification } from "../src/wirenotification";

/** A message of alice's, with what a test cares about laid over it. */
export function message(id: number, over: Partial<WireMessage> = {}): WireMessage {
  return {
    id,
    username: "alice",
    message: `text ${id}`,
    timestamp: "2026-11-22T16:00:00.000000+00:00",
    system: false,
    deleted: false,
    clientId: null,
    ...over,
  };
}

/** A notification of a comment, with what a test cares about laid over it. */
export function notification(id: number, over: Partial<WireNotification> = {}): WireNotification {
  return {
    id,
    title: `notification ${id}`,
    body: "",
    url: "/posts/1/",
    kind: "posts.new_comment",
    category: "comments",
    timestamp: "2026-11-22T16:00:00.000000+00:00",
    ...over,
  };
}
