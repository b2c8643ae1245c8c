// Runs the Worker for the tests, on real workerd over one real D1. Standard
// input gives {root, state, sql: [file...], workers: [{name: value}...]} in one
// line; the first line printed is the URLs of the workers, the others are what
// they log. It ends with its standard input.
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Log, LogLevel, Miniflare, convertV4MiniflareOptions } from "miniflare";

const input = createInterface({ input: process.stdin });
const { root, state, sql, workers } = JSON.parse(await new Promise((resolve) => input.once("line", resolve)));

const modules = readdirSync(root).filter((name) => name.endsWith(".mjs")).sort((a) => (a === "worker.mjs" ? -1 : 0));
const mf = new Miniflare(
  convertV4MiniflareOptions({
    resourcePersistencePath: state,
    log: new Log(LogLevel.ERROR),
    handleStructuredLogs: ({ message }) => console.log(message),
    workers: workers.map((bindings, i) => ({
      name: `worker${i}`,
      modulesRoot: root,
      modules: modules.map((name) => ({ type: "ESModule", path: `${root}/${name}` })),
      compatibilityDate: "2026-10-20",
      bindings,
      d1Databases: { DB: "shop" },
      unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    })),
  }),
);
await mf.ready;
const db = await mf.getD1Database("DB", "worker0");
for (const file of sql) await db.prepare(readFileSync(file, "utf8")).run();
const urls = await Promise.all(workers.map(async (_, i) => (await mf.unsafeGetDirectURL(`worker${i}`)).origin));
console.log(JSON.stringify(urls));
input.once("close", () => mf.dispose().then(() => process.exit(0)));
