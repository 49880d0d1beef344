/*
 * Drives clients of the published SDK for a test: commands come in as lines of JSON, answers and
 * everything that the SDK tells go out as lines of JSON.
 *
 *   in   {"id": 1, "client": "a", "command": "publish", "channel": "chat:lobby", "data": {}}
 *   out  {"id": 1, "result": {}}   or   {"id": 1, "error": {"code": 103, "message": ".."}}
 *   out  {"client": "a", "event": "publication", "channel": "chat:lobby", "offset": 7, "data": {}}
 *   out  {"client": "a", "question": 1, "channel": ""}   the SDK wants a token; the answer is
 *   in   {"id": 2, "command": "token", "question": 1, "token": ".."}   null: the user has none;
 *        "failure": ".." instead of a token: the application's server did not answer
 */

import { createInterface } from "node:readline";
import * as sdk from "centrifuge";
import WebSocket from "ws";
import { driver } from "./clients.js";

/** What the SDK leaves out is null, so that the test finds the same members with every SDK. */
const write = (line) =>
  process.stdout.write(`${JSON.stringify(line, (_, value) => value ?? null)}\n`);

/** A browser sends its cookies and its origin by itself. */
const socketWith = (headers) =>
  class extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols, { headers });
    }
  };

const obey = driver(sdk, write, socketWith);

createInterface({ input: process.stdin })
  .on("line", (line) => obey(JSON.parse(line)))
  .on("close", () => process.exit(0));
