// One opened message: why it was refused, the string that was signed, both
// bodies.

import { el, copyButton, milliseconds, clockTime, day } from "./dom.js";
import { character, compare, fieldAt, parts, pretty, signedString, visible } from "./text.js";

// details returns the content of an opened row. apiKey is the key that the log
// hides, for comparing a developer's own string.
export function details(m, v, apiKey) {
  return [
    m.note && el("p", { class: `note ${v.kind}` }, m.note),
    m.signed && signature(m, apiKey),
    m.plain && el("div", { class: "bodies" }, body("What req_info says, decrypted", m.plain)),
    el("div", { class: "bodies" },
      body(requestTitle(m), m.request, m.url),
      m.kind === "page" || m.method === "CALLBACK" ? null : body(answerTitle(m), m.response)),
    el("p", { class: "when" }, `#${m.seq}`, el("span", {}, `${m.from} → ${m.to}`), `${day(new Date(m.time))} ${clockTime(new Date(m.time))}${milliseconds(new Date(m.time))} CST`),
  ].filter(Boolean);
}

const titles = { CALLBACK: "What the page is told", INVOKE: "Arguments" };
const requestTitle = (m) => (m.kind === "page" ? "What the page said" : titles[m.method] ?? `${m.method || "POST"} request`);
const answerTitle = (m) => (m.method === "INVOKE" ? "What the client did" : m.status ? `Answer ${m.status}` : "No answer");

// --- the signature ----------------------------------------------------------

function signature(m, apiKey) {
  const s = m.signed;
  const own = m.from === "wechat"; // WeChat signed it, nothing was checked
  const state = own ? "made by WeChat" : s.ok ? "matches" : "does not match";
  const string = el("pre", { class: "string" }, signedString(s.string));
  return el("section", { class: `signature ${s.ok ? "good" : "bad"}` },
    el("h3", {}, "Signature", el("span", { class: "algorithm" }, s.algorithm), el("span", { class: "state" }, state)),
    el("div", { class: "label" }, own ? "The string that was signed" : "The string that WeChat signs to check it", copyButton(s.string, "Copy the string")),
    string,
    digests(s, own),
    comparison(s, string, apiKey));
}

function digests(s, own) {
  const line = (label, value, kind) => el("div", { class: `digest ${kind}` }, el("dt", {}, label), el("dd", {}, value || "(none)", value && copyButton(value)));
  if (own || (s.ok && (!s.expected || s.expected === s.given))) return el("dl", { class: "digests" }, line(own ? "sign" : "sign, given = computed", s.given, "good"));
  return el("dl", { class: "digests" }, line("given", s.given, "bad"), s.expected && line("computed", s.expected, "good"));
}

// comparison sets the string that the developer's own code signed against
// WeChat's, and says where they part.
function comparison(s, string, apiKey) {
  const input = el("textarea", { rows: 2, spellcheck: "false", placeholder: "Paste the string that your code signs, as it is before hashing", "aria-label": "Your string" });
  const result = el("div", { class: "result", "aria-live": "polite" });
  const show = () => {
    const mine = hideKey(input.value.replace(/\n$/, ""), apiKey);
    string.replaceChildren(...signedString(s.string));
    result.replaceChildren();
    if (!input.value) return;
    const cut = compare(s.string, mine);
    if (!cut) {
      result.append(el("p", { class: "same" }, "The two strings are the same. If the sign still differs: the hash, its key, or the case of its digits."));
      return;
    }
    string.replaceChildren(...signedString(s.string, cut.start, Math.max(cut.endA, cut.start + 1)));
    result.append(
      el("p", { class: "part" }, "They part at character ", el("b", {}, String(cut.start + 1)), ", in ", el("code", {}, fieldAt(s.string, cut.start)),
        ": WeChat has ", el("b", {}, character(s.string, cut.start)), ", you have ", el("b", {}, character(mine, cut.start)), "."),
      el("pre", { class: "string" }, signedString(mine, cut.start, Math.max(cut.endB, cut.start + 1))));
  };
  input.addEventListener("input", show);
  return el("details", { class: "compare", open: !s.ok && s.given !== "" }, el("summary", {}, "Compare with your own string"), input, result);
}

// hideKey replaces the key as the log does; a wrong key stays to be seen.
function hideKey(text, apiKey) {
  return apiKey && text.endsWith(`key=${apiKey}`) ? `${text.slice(0, -apiKey.length)}<APIv2 key>` : text;
}

// --- the bodies -------------------------------------------------------------

function body(title, text, url) {
  const split = parts(text || "");
  const formatted = pretty(split.body);
  const content = el("pre", { class: "body", tabindex: 0 });
  const set = (raw) => content.replaceChildren(...(raw || !formatted ? visible(split.body) : formatted));
  set(false);
  const toggle = formatted && el("button", { type: "button", class: "toggle", "aria-pressed": "false" }, "Raw");
  toggle?.addEventListener("click", () => {
    const raw = toggle.getAttribute("aria-pressed") !== "true";
    toggle.setAttribute("aria-pressed", String(raw));
    set(raw);
  });
  return el("section", { class: "message" },
    el("h3", {}, title, el("span", { class: "spacer" }), toggle, text && copyButton(split.body || text)),
    url && address(url),
    split.head && el("pre", { class: "head" }, split.head),
    split.body ? content : !split.head && el("p", { class: "none" }, url && url.includes("?") ? "everything is in the URL" : "empty"));
}

// address shows a URL with its parameters decoded below it.
function address(url) {
  const [base, query] = url.split("?");
  const list = [...new URLSearchParams(query ?? "")];
  return [
    el("p", { class: "url" }, base),
    list.length > 0 && el("dl", { class: "query" }, list.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, visible(value))))),
  ];
}
