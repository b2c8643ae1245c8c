// The phone's camera: a code_url by hand, or one of the orders that wait for it.

import { act, el, toast, yuan } from "./dom.js";
import { get, post } from "./control.js";
import { place } from "./controls.js";

// scanner makes the button below the phone open the list. What is scanned opens
// its payment sheet on the phone.
export function scanner(info, phone) {
  const button = document.getElementById("scan");
  const menu = el("div", { class: "menu", id: "scan-menu", popover: "auto" });
  document.body.append(menu);
  const scan = (from, codeURL) => act(from, async () => {
    const sheet = await post("scan", { code_url: codeURL });
    menu.hidePopover();
    phone.open(`${info.phone_url}/__wechat/pay?sheet=${encodeURIComponent(sheet.id)}`);
  });
  const show = async () => {
    const input = el("input", { type: "search", placeholder: "weixin://wxpay/bizpayurl?pr=…", "aria-label": "code_url", spellcheck: "false" });
    const go = el("button", { type: "submit", class: "add" }, "Scan");
    const form = el("form", { class: "line-form" }, input, go);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      scan(go, input.value.trim());
    });
    const { orders } = await get("ledger");
    const open = orders.filter((order) => order.code_url && order.state === "NOTPAY").toReversed();
    menu.replaceChildren(...[el("h3", {}, "Scan a code"), form, el("ul", { class: "choices" }, open.map((order) => {
      const choice = el("button", { type: "button" }, el("b", {}, `${yuan(order.total_fee)} ${order.body}`), el("code", {}, order.out_trade_no));
      choice.addEventListener("click", () => scan(choice, order.code_url));
      return el("li", {}, choice);
    })), open.length === 0 && el("p", { class: "hint" }, "No NATIVE order waits to be paid.")].filter(Boolean));
    place(menu, button);
    input.focus();
  };
  // Not by act: a button that is disabled opens no popover.
  button.addEventListener("click", () => show().catch((error) => toast(error.message)));
}
