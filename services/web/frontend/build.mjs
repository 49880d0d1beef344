// Bundles each page's script and the one style sheet into services/web/static/build/.

import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const outdir = here("../static/build/");

const options = {
  entryPoints: [
    { in: here("src/site.ts"), out: "site" },
    { in: here("src/room.ts"), out: "room" },
    { in: here("src/inbox.ts"), out: "inbox" },
    { in: here("src/post.ts"), out: "post" },
    { in: here("src/bulk.ts"), out: "bulk" },
    { in: here("styles/carillon.css"), out: "carillon" },
  ],
  outdir,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome111", "firefox115", "safari16.4"],
  logLevel: "info",
};

if (process.argv.includes("--watch")) {
  const context = await esbuild.context(options);
  await context.watch();
} else {
  await rm(outdir, { recursive: true, force: true });
  await esbuild.build(options);
}
