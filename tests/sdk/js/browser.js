/* The same in a page: `obey` takes a command, and `told`, which the test provides, all lines. */

import * as sdk from "./centrifuge.mjs";
import { driver } from "./clients.js";

const write = (line) => globalThis.told(JSON.stringify(line, (_, value) => value ?? null));

globalThis.obey = driver(sdk, write, null);
