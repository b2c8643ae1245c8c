// The refunds of an order in the ledger, and the one that the merchant makes by
// hand.

import { act, clockTime, copyButton, el, yuan } from "./dom.js";
import { post } from "./control.js";
import { t } from "./t.js";

const states = { PROCESSING: "waiting", SUCCESS: "ok", REFUNDCLOSE: "neutral", CHANGE: "bad" };

// left is what can still be refunded, in fen.
export function left(order, refunds) {
  return order.total_fee - refunds.filter((r) => r.refund_status !== "REFUNDCLOSE").reduce((sum, r) => sum + r.refund_fee, 0);
}

// refund draws a refund with its notifications, which are nodes. menu(button, title,
// choices) opens a list.
export function refund(r, notifications, info, menu) {
  const at = (time) => clockTime(new Date(time));
  const send = el("button", { type: "button", class: "small", disabled: !r.notify_url || r.refund_status === "PROCESSING", title: t(r.notify_url ? "send.title" : "refund.no_url") }, t("send.again"));
  send.addEventListener("click", () => act(send, () => post("notifications", { out_refund_no: r.out_refund_no, forge: "" })));
  const forge = el("button", { type: "button", class: "small", disabled: !r.notify_url, popovertarget: "forge" }, t("forge"));
  const forges = [...info.refund_forgeries.map((name) => [t(`refund_forge.${name}`), name]),
    ...(r.notify_version === "v3" ? info.v3_refund_forgeries.map((name) => [t(`forge.${name}`), name]) : [])];
  forge.addEventListener("click", () => menu(forge, t("refund.forge_title"), forges.map(([label, name]) =>
    [label, name, () => act(forge, () => post("notifications", { out_refund_no: r.out_refund_no, forge: name }))])));
  return el("section", { class: "refund" },
    el("header", {},
      el("b", {}, t("refund.of", { amount: yuan(r.refund_fee) })),
      el("code", {}, r.out_refund_no, copyButton(r.out_refund_no)),
      r.refund_request_source !== "API" && el("span", { class: "chip neutral" }, t("refund.by_hand")),
      el("span", { class: `chip ${states[r.refund_status] ?? "neutral"}` }, t(`refund.state.${r.refund_status}`))),
    el("p", {}, t("refund.taken", { time: at(r.created) }), r.done ? ` · ${t("refund.ended", { time: at(r.done) })}` : "", r.refund_desc ? ` · ${r.refund_desc}` : "", r.notify_url ? "" : ` · ${t("refund.silent")}`),
    notifications,
    el("div", { class: "acts" }, send, forge));
}

// byHand is the button that refunds as on the merchant platform.
export function byHand(order, rest, open) {
  const button = el("button", { type: "button", class: "small", popovertarget: "forge", title: t("refund.button_title") }, t("refund.button"));
  button.addEventListener("click", () => {
    const input = el("input", { type: "number", min: 0.01, max: rest / 100, step: 0.01, value: (rest / 100).toFixed(2), "aria-label": t("refund.yuan"), autofocus: true });
    const go = el("button", { type: "submit", class: "add" }, t("refund.go"));
    const form = el("form", { class: "line-form" }, el("span", {}, "¥"), input, go);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      act(go, async () => {
        await post("refunds", { out_trade_no: order.out_trade_no, refund_fee: Math.round(Number(input.value) * 100) });
        form.closest("[popover]").hidePopover();
      });
    });
    open(button, t("refund.title"), form);
  });
  return button;
}
