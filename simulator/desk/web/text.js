// How bodies and signed strings are shown: parsed, coloured, with invisible characters
// marked. The copy buttons copy the exact text.

import { el } from "./dom.js";
import { t } from "./t.js";

const span = (kind, text) => el("span", { class: kind }, text);

// parts splits a shop's message in the log into headers and body.
export function parts(text) {
  const found = /^((?:[A-Z][A-Za-z-]*: [^\n]*\n)+)\n/.exec(text);
  return found ? { head: found[1].trimEnd(), body: text.slice(found[0].length) } : { head: "", body: text };
}

// flatXML is the root of a message of the pay host, or null. Other texts, such as HTML
// pages, are not parsed: the parser's error is a document with inline styles, which
// violates the desk's policy.
function flatXML(text) {
  if (!/^(<\?xml\b[^>]*\?>\s*)?<(xml|root)[\s>]/.test(text)) return null;
  const xml = new DOMParser().parseFromString(text, "text/xml");
  return xml.querySelector("parsererror") ? null : xml.documentElement;
}

// fields reads a flat message: XML of the pay host, or JSON.
export function fields(text) {
  const { body } = parts(text || "");
  try {
    const root = flatXML(body.trim());
    if (root) return Object.fromEntries([...root.children].map((e) => [e.nodeName, e.textContent]));
    if (body.trimStart().startsWith("{")) return JSON.parse(body);
  } catch { /* not what it looked like */ }
  return {};
}

// pretty returns nodes for a body, or null when there is nothing to improve.
export function pretty(body) {
  const text = body.trim();
  if (text.startsWith("{") || text.startsWith("[")) return prettyJSON(text);
  const root = flatXML(text);
  return root && prettyXML(root);
}

function prettyXML(root) {
  const name = root.nodeName;
  const out = [span("tag", `<${name}>`)];
  for (const child of root.children) {
    out.push(el("span", { class: "element" }, span("tag", `<${child.nodeName}>`), visible(child.textContent), span("tag", `</${child.nodeName}>`)));
  }
  out.push(span("tag", `</${name}>`));
  return out;
}

const jsonToken = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

function prettyJSON(text) {
  let printed;
  try { printed = JSON.stringify(JSON.parse(text), null, 2); } catch { return null; }
  const out = [];
  let at = 0;
  for (const token of printed.matchAll(jsonToken)) {
    out.push(printed.slice(at, token.index));
    if (token[1] && token[2]) out.push(span("key", token[1]), token[2]);
    else if (token[1]) out.push(span("str", token[1]));
    else out.push(span("num", token[0]));
    at = token.index + token[0].length;
  }
  out.push(printed.slice(at));
  return out;
}

// Invisible characters: control characters except the line feed, no-break and
// zero-width spaces, marks of direction, the BOM.
const unseen = /[\u0000-\u0009\u000b-\u001f\u007f\u00a0\u00ad\u2000-\u200f\u2028-\u202f\u2060\u3000\ufeff]/gu;

// visible marks invisible characters, such as U+00A0.
export function visible(text) {
  const out = [];
  let at = 0;
  for (const hit of text.matchAll(unseen)) {
    out.push(text.slice(at, hit.index), mark(hit[0]));
    at = hit.index + hit[0].length;
  }
  out.push(text.slice(at));
  return out.filter((piece) => piece !== "");
}

const code = (c) => `U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
const mark = (c) => el("mark", { class: "unseen", title: t("unseen") }, code(c));

// signedString shows the string to sign. Lines break between fields. from and to are
// the part that differs from another string.
export function signedString(text, from = -1, to = -1) {
  const out = [];
  let at = 0;
  for (const field of text.split(/(?=&)/)) {
    const equals = field.indexOf("=");
    const name = equals < 0 ? field.length : equals + 1;
    out.push(...piece(field.slice(0, name), at, from, to, "sn"));
    out.push(...piece(field.slice(name), at + name, from, to, field.startsWith("&key=") ? "sk" : "sv"));
    out.push(el("wbr"));
    at += field.length;
  }
  return out;
}

function piece(text, at, from, to, kind) {
  const cut = (a, b, different) => {
    const slice = text.slice(Math.max(0, a - at), Math.max(0, b - at));
    if (!slice) return null;
    return el("span", { class: different ? `${kind} differs` : kind }, ...visible(slice));
  };
  const end = at + text.length;
  if (from < 0 || to <= at || from >= end) return [cut(at, end, false)].filter(Boolean);
  return [cut(at, from, false), cut(Math.max(from, at), Math.min(to, end), true), cut(to, end, false)].filter(Boolean);
}

// signedLines shows a message of APIv3, whose lines end in a line feed each. from and to
// are the part that differs from another text.
export function signedLines(text, from = -1, to = -1) {
  const out = [];
  let at = 0;
  for (const line of text.split(/(?<=\n)/)) {
    const ended = line.endsWith("\n");
    const end = at + line.length - (ended ? 1 : 0);
    out.push(...piece(ended ? line.slice(0, -1) : line, at, from, to, "sv"));
    if (ended) out.push(el("span", { class: from >= 0 && from <= end && end < to ? "lf differs" : "lf", "aria-hidden": "true" }, "↵"), "\n");
    at += line.length;
  }
  return out;
}

// lineAt names the line of a message of APIv3 in which a position lies. names are those
// of its lines. The last one may have line feeds in it.
export function lineAt(text, position, names) {
  return names[Math.min(text.slice(0, position).split("\n").length, names.length) - 1];
}

// compare returns the part in which two strings differ, or null.
export function compare(a, b) {
  if (a === b) return null;
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let tail = 0;
  while (tail < a.length - start && tail < b.length - start && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  // Never inside a pair of surrogates.
  if (start > 0 && /[\ud800-\udbff]/.test(a[start - 1])) start--;
  return { start, endA: a.length - tail, endB: b.length - tail };
}

// fieldAt names the field in which a position of a signed string lies.
export function fieldAt(text, position) {
  const begin = text.lastIndexOf("&", Math.max(0, position - 1)) + 1;
  return /^[^=&]*/.exec(text.slice(begin))[0];
}

// character names one character for a sentence.
export function character(text, position) {
  if (position >= text.length) return t("compare.end");
  const c = String.fromCodePoint(text.codePointAt(position));
  return c === "\n" || c.search(unseen) >= 0 ? code(c) : `“${c}” (${code(c)})`;
}
