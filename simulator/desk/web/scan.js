// The phone's camera. It scans a pasted code_url, the code of an order in the list, or
// the code that a window shows.

import { act, el, icon, toast, yuan } from "./dom.js";
import { get, post } from "./control.js";
import { place } from "./controls.js";
import { nodes, t } from "./t.js";

// scannable reports whether the code of an order can be scanned.
const scannable = (order) => order.code_url && order.state === "NOTPAY";

// Camera opens the payment sheet of a scanned code: on the phone in which the shop is
// open, or on a phone beside the window.
export class Camera {
  constructor(info, phone) {
    this.phone = phone;
    this.page = (sheet) => `${info.phone_url}/__wechat/pay?sheet=${encodeURIComponent(sheet.id)}`;
    this.origin = info.phone_url;
    this.box = document.getElementById("offer");
    this.button = document.getElementById("scan");
    this.menu = el("div", { class: "menu", id: "scan-menu", popover: "auto" });
    document.body.append(this.menu);
    // Without act, because a disabled button opens no popover.
    this.button.addEventListener("click", () => this.list().catch((error) => toast(error.message)));
    window.addEventListener("message", (event) => {
      if (event.source === this.frame?.contentWindow && event.origin === this.origin && event.data?.wechat === "close") this.putAway();
    });
  }

  scan(from, codeURL) {
    return act(from, async () => {
      const sheet = await post("scan", { code_url: codeURL });
      this.menu.hidePopover();
      if (this.phone.place.shape === "phone") this.phone.open(this.page(sheet));
      else this.takeOut(this.page(sheet));
    });
  }

  // offer shows the code of the newest order while the shop is open in a window. It runs
  // whenever the ledger was read.
  offer(orders) {
    const inWindow = this.phone.place.shape === "window";
    if (!inWindow) this.putAway();
    const newest = inWindow ? orders.findLast((order) => order.code_url) : undefined;
    const order = newest && scannable(newest) ? newest : undefined;
    const key = order ? order.code_url : "";
    if (key === this.offered) return;
    this.offered = key;
    if (!order) {
      this.box.replaceChildren();
      return;
    }
    const go = el("button", { type: "button", class: "go" }, icon("camera"), t("scan.go"));
    go.addEventListener("click", () => this.scan(go, order.code_url));
    this.box.replaceChildren(el("span", {}, nodes("scan.offer", { order: el("b", {}, `${yuan(order.total_fee)} ${order.body}`) })), go);
  }

  takeOut(url) {
    this.putAway();
    const shut = el("button", { type: "button", "aria-label": t("put.away"), click: () => this.putAway() }, icon("close"));
    this.frame = el("iframe", { title: t("the.phone"), src: url });
    this.handset = el("div", { class: "handset" }, el("div", { class: "screen" },
      el("div", { class: "status", "aria-hidden": "true" }, el("span"), el("span", { class: "island" }), el("span", { class: "radio" }, icon("cellular"), icon("wifi"), icon("battery"))),
      el("div", { class: "bar" }, el("span", { class: "left" }, shut), el("span", { class: "title" }, "微信支付"), el("span")),
      el("div", { class: "view" }, this.frame),
      el("span", { class: "home", "aria-hidden": "true" })));
    this.box.before(this.handset);
  }

  putAway() {
    this.handset?.remove();
    this.handset = this.frame = undefined;
  }

  // list is the menu of the button below the device.
  async list() {
    const input = el("input", { type: "search", placeholder: "weixin://wxpay/bizpayurl?pr=…", "aria-label": "code_url", spellcheck: "false" });
    const go = el("button", { type: "submit", class: "add" }, t("scan.submit"));
    const form = el("form", { class: "line-form" }, input, go);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.scan(go, input.value.trim());
    });
    const open = (await get("ledger")).orders.filter(scannable).toReversed();
    this.menu.replaceChildren(...[el("h3", {}, t("scan.title")), form, el("ul", { class: "choices" }, open.map((order) => {
      const choice = el("button", { type: "button" }, el("b", {}, `${yuan(order.total_fee)} ${order.body}`), el("code", {}, order.out_trade_no));
      choice.addEventListener("click", () => this.scan(choice, order.code_url));
      return el("li", {}, choice);
    })), open.length === 0 && el("p", { class: "hint" }, t("scan.none"))].filter(Boolean));
    place(this.menu, this.button);
    input.focus();
  }
}
