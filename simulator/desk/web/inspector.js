// One opened message: why it was declined, the signed strings, headers and bodies.

import { el, copyButton, milliseconds, clockTime, day } from "./dom.js";
import { character, compare, fieldAt, lineAt, parts, pretty, signedLines, signedString, visible } from "./text.js";
import { nodes, t } from "./t.js";

// details returns the content of an opened row. apiKey is the key that the log
// hides: comparison needs it.
export function details(m, v, apiKey) {
  return [
    m.note && el("p", { class: `note ${v.kind}` }, m.note),
    m.signed && signature(m.signed, t("signature"), m.from === "wechat", lineNames(m), apiKey),
    m.reply && signature(m.reply, t("signature.reply"), true, messageLines, apiKey),
    m.plain && el("div", { class: "bodies" }, body(t(m.plain.startsWith("{") ? "plain.v3" : "plain"), m.plain)),
    el("div", { class: "bodies" },
      body(requestTitle(m), m.request, m.url, m.request_header),
      m.kind === "page" || m.method === "CALLBACK" ? null : body(answerTitle(m), m.response, "", m.response_header)),
    el("p", { class: "when" }, `#${m.seq}`, el("span", {}, `${m.from} → ${m.to}`), `${day(new Date(m.time))} ${clockTime(new Date(m.time))}${milliseconds(new Date(m.time))} CST`),
  ].filter(Boolean);
}

const titles = { CALLBACK: "title.callback", INVOKE: "title.invoke" };
const requestTitle = (m) => t(m.kind === "page" ? "title.page" : titles[m.method] ?? "title.request", { method: m.method || "POST" });
const answerTitle = (m) => t(m.method === "INVOKE" ? "title.client" : m.status ? "title.response" : "title.none", { status: m.status });

// --- the signature ----------------------------------------------------------

// The lines of what APIv3 signs: a request, a response or a callback, a payment.
const requestLines = ["method", "URL", "timestamp", "nonce_str", "body"];
const messageLines = ["timestamp", "nonce", "body"];
const payLines = ["appId", "timeStamp", "nonceStr", "package"];
const lineNames = (m) => (m.from === "wechat" ? messageLines : m.kind.startsWith("v3_") ? requestLines : payLines);

// signature shows one signature. own means that WeChat made it and checked nothing.
function signature(s, title, own, names, apiKey) {
  const form = s.algorithm.startsWith("WECHATPAY2")
    ? { show: signedLines, name: (position) => lineAt(s.string, position, names), mine: (text) => text }
    : { show: signedString, name: (position) => fieldAt(s.string, position), mine: (text) => hideKey(text.replace(/\n$/, ""), apiKey) };
  const state = t(own ? "signature.own" : s.ok ? "signature.ok" : "signature.bad");
  const string = el("pre", { class: "string" }, form.show(s.string));
  return el("section", { class: `signature ${s.ok ? "good" : "bad"}` },
    el("h3", {}, title, el("span", { class: "algorithm" }, s.algorithm), el("span", { class: "state" }, state)),
    s.yours
      ? sideBySide(s, form)
      : [el("div", { class: "label" }, t(own ? "string.own" : "string.check"), copyButton(s.string, t("copy.string"))), string],
    digests(s, own),
    !s.yours && comparison(s, string, form));
}

function digests(s, own) {
  const line = (label, value, kind) => el("div", { class: `digest ${kind}` }, el("dt", {}, label), el("dd", {}, value || t("digest.none"), value && copyButton(value)));
  const name = s.algorithm.startsWith("WECHATPAY2") ? "digest.signature" : "digest.sign";
  if (own || (s.ok && (!s.expected || s.expected === s.given))) return el("dl", { class: "digests" }, line(t(own ? name : "digest.same"), s.given, "good"));
  return el("dl", { class: "digests" }, line(t("digest.given"), s.given, "bad"), s.expected && line(t("digest.computed"), s.expected, "good"));
}

// sideBySide shows the text that WeChat signs to check a signature, the text that was
// signed instead, and the first difference.
function sideBySide(s, form) {
  const cut = compare(s.string, s.yours);
  const side = (label, text, end) => el("div", {}, el("div", { class: "label" }, label, copyButton(text, t("copy.string"))),
    el("pre", { class: "string" }, form.show(text, cut.start, Math.max(end, cut.start + 1))));
  return [
    el("div", { class: "bodies sides" }, side(t("string.theirs"), s.string, cut.endA), side(t("string.yours"), s.yours, cut.endB)),
    difference(s.string, s.yours, cut, form),
  ];
}

// difference describes where two strings first differ.
const difference = (theirs, mine, cut, form) => el("p", { class: "part" }, nodes("compare.differ", {
  position: el("b", {}, String(cut.start + 1)), field: el("code", {}, form.name(cut.start)),
  theirs: el("b", {}, character(theirs, cut.start)), mine: el("b", {}, character(mine, cut.start)),
}));

// comparison compares the string that the developer's code signs with WeChat's, and
// shows the first difference.
function comparison(s, string, form) {
  const input = el("textarea", { rows: 2, spellcheck: "false", placeholder: t("compare.paste"), "aria-label": t("compare.label") });
  const result = el("div", { class: "result", "aria-live": "polite" });
  const show = () => {
    const mine = form.mine(input.value);
    string.replaceChildren(...form.show(s.string));
    result.replaceChildren();
    if (!input.value) return;
    const cut = compare(s.string, mine);
    if (!cut) {
      result.append(el("p", { class: "same" }, t("compare.same")));
      return;
    }
    string.replaceChildren(...form.show(s.string, cut.start, Math.max(cut.endA, cut.start + 1)));
    result.append(
      difference(s.string, mine, cut, form),
      el("pre", { class: "string" }, form.show(mine, cut.start, Math.max(cut.endB, cut.start + 1))));
  };
  input.addEventListener("input", show);
  return el("details", { class: "compare", open: !s.ok && s.given !== "" }, el("summary", {}, t("compare.open")), input, result);
}

// hideKey replaces the right key as the log does. A wrong key stays visible.
function hideKey(text, apiKey) {
  return apiKey && text.endsWith(`key=${apiKey}`) ? `${text.slice(0, -apiKey.length)}<APIv2 key>` : text;
}

// --- the bodies -------------------------------------------------------------

// body shows a body below its address and its headers. The log keeps the headers of the
// shop in front of the body, and those of APIv3 apart.
function body(title, text, url, header) {
  const split = parts(text || "");
  if (header) split.head = header.trimEnd();
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
