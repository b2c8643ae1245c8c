// The name of a message, its subject and its result, all read from the message.

import { fields, parts } from "./text.js";
import { yuan } from "./dom.js";
import { t } from "./t.js";

// The names of calls are WeChat's. The rest is in the texts.
const calls = {
  authorize: "authorize",
  consent: "consent",
  access_token: "code → access_token",
  refresh_token: "refresh_token",
  mweb: "mweb_url",
};

const pageErrors = ["uncaught", "rejection", "load", "policy", "bridge"];

// short is the name in the list.
export function short(m) {
  if (m.kind === "shop") return `${m.method} ${m.url.split("?")[0]}`;
  if (m.kind === "page") return pageErrors.includes(m.method) ? t(`name.${m.method}`) : m.method === "console" ? "console.error" : m.method;
  if (m.method === "CALLBACK") return t("name.callback");
  if (m.kind === "refund_notify") return m.attempt ? `${t("name.refund_notify")} #${m.attempt}` : t("name.refund_notify");
  if (m.kind === "notify") return m.attempt ? `${t("name.notify")} #${m.attempt}` : t("name.notify");
  if (m.kind === "sheet") return t("name.sheet");
  if (m.kind.startsWith("v3_")) return m.kind.replace("_", " ");
  return calls[m.kind] ?? m.kind;
}

const query = (m) => new URLSearchParams(m.url.split("?")[1] ?? "");

// segment is a part of the path, counted from its end.
const segment = (m, fromEnd) => m.url.split("?")[0].split("/").at(-fromEnd);
const fen = (n) => (Number.isSafeInteger(n) ? yuan(n) : "");
const list = (...texts) => texts.filter(Boolean).join("  ");

// aboutV3 is about for the calls of APIv3.
function aboutV3(m) {
  const asked = fields(m.request);
  const told = fields(m.response);
  switch (m.kind) {
    case "v3_jsapi": case "v3_native": case "v3_h5": case "v3_app": return list(asked.out_trade_no, fen(asked.amount?.total));
    case "v3_query": return list(segment(m, 1), told.trade_state);
    case "v3_close": return segment(m, 2);
    case "v3_refund": return list(asked.out_trade_no ?? asked.transaction_id, fen(asked.amount?.refund), asked.out_refund_no);
    case "v3_refund_query": return list(segment(m, 1), told.status);
    case "v3_tradebill": case "v3_fundflowbill": return list(query(m).get("bill_date"), query(m).get("bill_type") ?? query(m).get("account_type"));
    case "v3_echo": return asked.echo_message ?? "";
  }
  return "";
}

// isV3 reports whether a notification is of APIv3, which is JSON.
const isV3 = (m) => m.request.startsWith("{");

// about is the second column: the order, the amount, the user.
export function about(m) {
  if (m.kind.startsWith("v3_")) return aboutV3(m);
  const asked = fields(m.request);
  const told = fields(m.response);
  switch (m.kind) {
    case "authorize": return query(m).get("scope") ?? "";
    case "unifiedorder": return [asked.out_trade_no, asked.total_fee && /^\d+$/.test(asked.total_fee) ? yuan(Number(asked.total_fee)) : "", asked.trade_type].filter(Boolean).join("  ");
    case "orderquery": return [asked.out_trade_no ?? asked.transaction_id, told.trade_state].filter(Boolean).join("  ");
    case "refund": return [asked.out_trade_no ?? asked.transaction_id, asked.refund_fee && /^\d+$/.test(asked.refund_fee) ? yuan(Number(asked.refund_fee)) : "", asked.out_refund_no].filter(Boolean).join("  ");
    case "refundquery": return [asked.refund_id ?? asked.out_refund_no ?? asked.transaction_id ?? asked.out_trade_no, told.refund_status_0, told.refund_count > 1 && t("refunds.count", { n: told.refund_count })].filter(Boolean).join("  ");
    case "refund_notify": {
      const said = fields(m.plain);
      return list(said.out_trade_no, said.refund_fee ? yuan(Number(said.refund_fee)) : fen(said.amount?.refund), said.refund_status);
    }
    case "downloadbill": return [asked.bill_date, asked.bill_type].filter(Boolean).join("  ");
    case "scan": case "sheet": return m.request || m.url;
    case "mweb": return query(m).get("prepay_id") ?? "";
    case "notify": {
      const said = isV3(m) ? fields(m.plain) : asked;
      return list(said.out_trade_no, said.total_fee ? yuan(Number(said.total_fee)) : fen(said.amount?.total));
    }
    case "getBrandWCPayRequest": return asked.package ?? asked.err_msg ?? "";
    case "shop": {
      const search = m.url.split("?")[1];
      return [search ? `?${search}` : "", told.code && m.status >= 400 ? told.code : ""].filter(Boolean).join("  ");
    }
    case "page": return m.note ?? "";
  }
  return asked.out_trade_no ?? "";
}

const sheetStates = ["open", "paid", "cancelled", "failed"];

// verdict is {kind: ok | bad | fault | waiting, text}.
export function verdict(m) {
  if (m.kind === "page") return { kind: "bad", text: t("verdict.error") };
  if (/(^|; )fault [a-z_]+/.test(m.note ?? "")) return { kind: "fault", text: m.status ? `${t("verdict.fault")} · ${m.status}` : t("verdict.fault") };
  if (m.signed && !m.signed.ok) return { kind: "bad", text: t("verdict.bad_sign") };
  const told = fields(m.method === "CALLBACK" ? m.request : m.response);
  if (m.method === "CALLBACK" && / is paid;/.test(m.note) && !/:ok$/.test(told.err_msg)) return { kind: "fault", text: t("verdict.told_cancel") };
  if (told.return_code === "FAIL") return { kind: "bad", text: "FAIL" };
  if (told.result_code === "FAIL") return { kind: "bad", text: told.err_code ?? "FAIL" };
  if (told.errcode) return { kind: "bad", text: String(told.errcode) };
  if (typeof told.err_msg === "string") {
    const word = told.err_msg.split(":").pop();
    if (/:ok$/.test(told.err_msg)) return { kind: "ok", text: "ok" };
    return { kind: /cancel/.test(word) ? "neutral" : "bad", text: word };
  }
  if (m.kind === "mweb" && m.status === 200 && !m.response.startsWith("(")) return { kind: "bad", text: t("verdict.declined") };
  const state = m.kind === "sheet" ? /is (\w+)/.exec(m.note)?.[1] ?? "ok" : "";
  if (m.kind === "sheet") return { kind: / is paid/.test(m.note) ? "ok" : / is failed/.test(m.note) ? "bad" : "neutral", text: sheetStates.includes(state) ? t(`verdict.${state}`) : state };
  if (m.status === 0 && m.kind !== "getBrandWCPayRequest") return { kind: "bad", text: t("verdict.no_answer") };
  if (m.kind === "shop" && m.status === 401) return { kind: "neutral", text: "401" }; // normal for a page without a session
  if (m.status >= 400) return { kind: "bad", text: m.kind.startsWith("v3_") && told.code ? told.code : String(m.status) };
  const acknowledged = isV3(m) ? m.status === 200 || m.status === 204 : told.return_code === "SUCCESS";
  if ((m.kind === "notify" || m.kind === "refund_notify") && !acknowledged) return { kind: "bad", text: t("verdict.unacknowledged") };
  if (m.status >= 300) return { kind: "ok", text: String(m.status) };
  return { kind: "ok", text: m.status && m.status !== 200 ? String(m.status) : "ok" };
}

// second is the second column: why a message was declined, or its subject.
export function second(m, v) {
  if (m.note && (v.kind === "bad" || v.kind === "fault")) return m.note;
  return about(m) || m.note || "";
}

// haystack is what the filter searches.
export function haystack(m) {
  return `${short(m)} ${m.from} ${m.to} ${m.url} ${m.note ?? ""} ${parts(m.request).body} ${m.response}`.toLowerCase();
}
