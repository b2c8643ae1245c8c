// The start page with the catalogue. Go makes the parts of the page that depend on the catalogue:
// see package startpage. The page is kept in this isolate for a minute, so most requests for it
// start nothing. If the parts are missing, the page is sent without them, and its program calls the
// signer.
import { env } from "cloudflare:workers";
import { beginSignIn, withSignIn } from "./signin.mjs";

const life = 60_000; // ms that a page is kept
const patience = 3_000; // ms to wait for the parts

const versionHeader = "H5pay-Page"; // has the version of the page, in headers.txt of the site

let version; // of the page, the same for the life of the isolate

// pageVersion returns the version of the page, "" if it is not known. Every answer to the page's program
// names it, so that an older page can load itself again.
export async function pageVersion(request) {
  try {
    version ??= (await env.ASSETS.fetch(new Request(new URL("/offline", request.url), { method: "HEAD" }))).headers.get(versionHeader) ?? "";
  } catch {} // the next answer names it
  return version ?? "";
}

// A preload requests the program when the headers of the page arrive. check.js takes its response, in the
// browsers that join two requests for one file: see requestProgram there.
const joinsRequests = /Chrome\/\d{3}/;

let kept; // { text, etag, headers, program, at }

// forget lets the next request see a change of the catalogue. Other isolates see it within a minute.
export function forget() {
  kept = undefined;
}

// startPage answers a request for the page. call makes a call to the program and returns its
// response.
export async function startPage(request, call) {
  if (request.method !== "GET" && request.method !== "HEAD") return env.ASSETS.fetch(request);
  let page = kept;
  if (!page || Date.now() - page.at > life) {
    try {
      page = kept = await fill(request, call);
    } catch (err) {
      console.warn(JSON.stringify({ level: "WARN", msg: "the start page is sent without the catalogue", error: String(err) }));
      return env.ASSETS.fetch(request);
    }
  }
  const signIn = await inTime(beginSignIn(request, call), "sign-in").catch(() => undefined);
  if (signIn) return withSignIn(page.text, page.headers, signIn);
  const headers = new Headers(page.headers);
  headers.set("ETag", `W/${page.etag}`);
  headers.append("Vary", "User-Agent");
  if (page.program && joinsRequests.test(request.headers.get("User-Agent"))) {
    headers.set("Link", `<${page.program}>; rel=preload; as=fetch; crossorigin; fetchpriority=low`);
  }
  if ((request.headers.get("If-None-Match") ?? "").includes(page.etag)) return new Response(null, { status: 304, headers });
  return new Response(request.method === "HEAD" ? null : page.text, { headers });
}

// fill returns the page with the parts of the catalogue.
async function fill(request, call) {
  const at = Date.now();
  const [file, parts] = await Promise.all([readFile(request), readParts(request, call)]);
  let { text } = file;
  for (const [name, part] of Object.entries(parts)) {
    const [begin, end] = [`<!--${name}-->`, `<!--/${name}-->`];
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from >= 0 && to > from) text = text.slice(0, from) + part + text.slice(to + end.length);
  }
  const sum = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const etag = `"${Array.from(new Uint8Array(sum, 0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("")}"`;
  return { text, etag, headers: file.headers, program: /data-wasm="([^"]+)"/.exec(text)?.[1], at };
}

async function readFile(request) {
  const response = await env.ASSETS.fetch(new Request(new URL("/", request.url)));
  if (!response.ok) throw new Error(`the page has the status ${response.status}`);
  const headers = new Headers(response.headers);
  for (const name of ["Content-Length", "Content-Encoding", "ETag"]) headers.delete(name);
  return { text: await response.text(), headers };
}

async function readParts(request, call) {
  const response = await inTime(call(new Request(new URL("/api/startpage", request.url))), "catalogue");
  if (!response.ok) throw new Error(`the catalogue has the status ${response.status}`);
  return inTime(response.json(), "catalogue");
}

// inTime resolves to the value of a promise, and rejects after some time without it.
async function inTime(promise, what) {
  const late = Promise.withResolvers();
  const timer = setTimeout(() => late.reject(new Error(`no ${what} within ${patience} ms`)), patience);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
