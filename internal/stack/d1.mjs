// D1 in a workerd of its own: d1.mjs FOLDER [SQL file...]
//
// FOLDER keeps the database's files; "" keeps nothing.
//
// At Cloudflare a Worker's database is another machine, whose time is not the
// Worker's. This is the real local D1; the Worker in front of it passes what
// the bindings of the Workers under test send, untouched. The line it prints is
// {"address"}. It ends with its standard input.
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
