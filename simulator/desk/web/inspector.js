// One opened message: why it was declined, the signed string, both bodies.

import { el, copyButton, milliseconds, clockTime, day } from "./dom.js";
import { character, compare, fieldAt, parts, pretty, signedString, visible } from "./text.js";
import { nodes, t } from "./t.js";

// details returns the content of an opened row. apiKey is the key that the log
// hides: comparison needs it.
export function details(m, v, apiKey) {
  return [
    m.note && el("p", { class: `note ${v.kind}` }, m.note),
    m.signed && signature(m, apiKey),
    m.plain && el("div", { class: "bodies" }, body(t("plain"), m.plain)),
    el("div", { class: "bodies" },
      body(requestTitle(m), m.request, m.url),
      m.kind === "page" || m.method === "CALLBACK" ? null : body(answerTitle(m), m.response)),
    el("p", { class: "when" }, `#${m.seq}`, el("span", {}, `${m.from} → ${m.to}`), `${day(new Date(m.time))} ${clockTime(new Date(m.time))}${milliseconds(new Date(m.time))} CST`),
  ].filter(Boolean);
}

const titles = { CALLBACK: "title.callback", INVOKE: "title.invoke" };
const requestTitle = (m) => t(m.kind === "page" ? "title.page" : titles[m.method] ?? "title.request", { method: m.method || "POST" });
const answerTitle = (m) => t(m.method === "INVOKE" ? "title.client" : m.status ? "title.response" : "title.none", { status: m.status });

// --- the signature ----------------------------------------------------------

function signature(m, apiKey) {
  const s = m.signed;
  const own = m.from === "wechat"; // WeChat signed it, nothing was checked
  const state = t(own ? "signature.own" : s.ok ? "signature.ok" : "signature.bad");
  const string = el("pre", { class: "string" }, signedString(s.string));
  return el("section", { class: `signature ${s.ok ? "good" : "bad"}` },
    el("h3", {}, t("signature"), el("span", { class: "algorithm" }, s.algorithm), el("span", { class: "state" }, state)),
    el("div", { class: "label" }, t(own ? "string.own" : "string.check"), copyButton(s.string, t("copy.string"))),
    string,
    digests(s, own),
    comparison(s, string, apiKey));
}

function digests(s, own) {
  const line = (label, value, kind) => el("div", { class: `digest ${kind}` }, el("dt", {}, label), el("dd", {}, value || t("digest.none"), value && copyButton(value)));
  if (own || (s.ok && (!s.expected || s.expected === s.given))) return el("dl", { class: "digests" }, line(t(own ? "digest.sign" : "digest.same"), s.given, "good"));
  return el("dl", { class: "digests" }, line(t("digest.given"), s.given, "bad"), s.expected && line(t("digest.computed"), s.expected, "good"));
}

// comparison compares the string that the developer's code signs with WeChat's, and
// shows the first difference.
function comparison(s, string, apiKey) {
  const input = el("textarea", { rows: 2, spellcheck: "false", placeholder: t("compare.paste"), "aria-label": t("compare.label") });
  const result = el("div", { class: "result", "aria-live": "polite" });
  const show = () => {
    const mine = hideKey(input.value.replace(/\n$/, ""), apiKey);
    string.replaceChildren(...signedString(s.string));
    result.replaceChildren();
    if (!input.value) return;
    const cut = compare(s.string, mine);
    if (!cut) {
      result.append(el("p", { class: "same" }, t("compare.same")));
      return;
    }
    string.replaceChildren(...signedString(s.string, cut.start, Math.max(cut.endA, cut.start + 1)));
    result.append(
      el("p", { class: "part" }, nodes("compare.differ", {
        position: el("b", {}, String(cut.start + 1)), field: el("code", {}, fieldAt(s.string, cut.start)),
        theirs: el("b", {}, character(s.string, cut.start)), mine: el("b", {}, character(mine, cut.start)),
      })),
      el("pre", { class: "string" }, signedString(mine, cut.start, Math.max(cut.endB, cut.start + 1))));
  };
  input.addEventListener("input", show);
  return el("details", { class: "compare", open: !s.ok && s.given !== "" }, el("summary", {}, t("compare.open")), input, result);
}

// hideKey replaces the right key as the log does. A wrong key stays visible.
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
  const toggle = formatted && el("button", { type: "button", class: "toggle", "aria-pressed": "false" }, t("raw"));
  toggle?.addEventListener("click", () => {
    const raw = toggle.getAttribute("aria-pressed") !== "true";
    toggle.setAttribute("aria-pressed", String(raw));
    set(raw);
  });
  return el("section", { class: "message" },
    el("h3", {}, title, el("span", { class: "spacer" }), toggle, text && copyButton(split.body || text)),
    url && address(url),
    split.head && el("pre", { class: "head" }, split.head),
    split.body ? content : !split.head && el("p", { class: "none" }, t(url && url.includes("?") ? "in.url" : "empty")));
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
