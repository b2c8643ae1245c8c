// The refunds of an order in the ledger, and the one that the merchant makes by
// hand.

import { act, clockTime, copyButton, el, yuan } from "./dom.js";
import { post } from "./control.js";

const states = { PROCESSING: "waiting", SUCCESS: "ok", REFUNDCLOSE: "neutral", CHANGE: "refused" };

const forgeries = {
  other_key: "Encrypted with another key",
  no_info: "Without req_info",
  bad_padding: "Without the last block",
  wrong_amount: "One fen more, encrypted rightly",
  too_early: "SUCCESS, whatever it is",
  replay: "The last one again, byte for byte",
  doctype: "With a DOCTYPE and an external entity",
};

// left is what can still go back, in fen.
export function left(order, refunds) {
  return order.total_fee - refunds.filter((r) => r.refund_status !== "REFUNDCLOSE").reduce((sum, r) => sum + r.refund_fee, 0);
}

// refund draws one. notifications are those of it, drawn; menu(button, title,
// choices) opens a list.
export function refund(r, notifications, info, menu) {
  const at = (time) => clockTime(new Date(time));
  const send = el("button", { type: "button", class: "small", disabled: !r.notify_url || r.refund_status === "PROCESSING", title: r.notify_url ? "The true notification, now" : "The refund has no notify_url" }, "Send again");
  send.addEventListener("click", () => act(send, () => post("notifications", { out_refund_no: r.out_refund_no, forge: "" })));
  const forge = el("button", { type: "button", class: "small", disabled: !r.notify_url, popovertarget: "forge" }, "Forge…");
  forge.addEventListener("click", () => menu(forge, "A refund notification that WeChat never sent", info.refund_forges.map((name) =>
    [forgeries[name] ?? name, name, () => act(forge, () => post("notifications", { out_refund_no: r.out_refund_no, forge: name }))])));
  return el("section", { class: "refund" },
    el("header", {},
      el("b", {}, `Refund ${yuan(r.refund_fee)}`),
      el("code", {}, r.out_refund_no, copyButton(r.out_refund_no)),
      r.refund_request_source !== "API" && el("span", { class: "chip neutral" }, "by hand"),
      el("span", { class: `chip ${states[r.refund_status] ?? "neutral"}` }, r.refund_status)),
    el("p", {}, `taken ${at(r.created)}`, r.done ? ` · ended ${at(r.done)}` : "", r.refund_desc ? ` · ${r.refund_desc}` : "", r.notify_url ? "" : " · no notify_url: WeChat stays silent"),
    notifications,
    el("div", { class: "acts" }, send, forge));
}

// byHand is the button that refunds as on the merchant platform.
export function byHand(order, rest, open) {
  const button = el("button", { type: "button", class: "small", popovertarget: "forge", title: "As on the merchant platform: the shop is told, not asked" }, "Refund…");
  button.addEventListener("click", () => {
    const input = el("input", { type: "number", min: 0.01, max: rest / 100, step: 0.01, value: (rest / 100).toFixed(2), "aria-label": "Yuan", autofocus: true });
    const go = el("button", { type: "submit", class: "add" }, "Refund");
    const form = el("form", { class: "line-form" }, el("span", {}, "¥"), input, go);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      act(go, async () => {
        await post("refunds", { out_trade_no: order.out_trade_no, refund_fee: Math.round(Number(input.value) * 100) });
        form.closest("[popover]").hidePopover();
      });
    });
    open(button, "Refund by hand, as on the merchant platform", form);
  });
  return button;
}
