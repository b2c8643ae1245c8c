// D1 in its own workerd process: d1.mjs FOLDER [SQL file...]
//
// FOLDER stores the database's files; "" stores nothing. Cloudflare runs a Worker's database on
// another machine, so its CPU time is not the Worker's. This is the real local D1. A Worker in
// front of it forwards the requests of the Workers' bindings unchanged. It prints one line,
// {"address"}, and ends when its standard input ends.
import { readFileSync } from "node:fs";
import { Log, LogLevel, Miniflare, convertV4MiniflareOptions } from "miniflare";

const passing = `export default {
  fetch(request, env) {
    const { pathname, search } = new URL(request.url);
    return env.DB.fetcher.fetch("http://d1" + pathname + search, request);
  },
};`;

const [folder, ...files] = process.argv.slice(2);
const options = convertV4MiniflareOptions({
  name: "d1",
  modules: true,
  script: passing,
  compatibilityDate: "2026-10-20",
  d1Databases: { DB: "bench" },
  unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
  log: new Log(LogLevel.ERROR),
});
const mf = new Miniflare(folder ? { ...options, resourcePersistencePath: folder } : options);
await mf.ready;
const db = await mf.getD1Database("DB");
for (const file of files) await db.prepare(readFileSync(file, "utf8")).run();
console.log(JSON.stringify({ address: (await mf.unsafeGetDirectURL("d1")).host }));
process.stdin.on("end", () => mf.dispose().then(() => process.exit(0))).resume();
