// The ledger: orders, payments, refunds and notifications.

import { act, clockTime, copyButton, el, showNodes, span, yuan } from "./dom.js";
import { get, post } from "./control.js";
import { place } from "./controls.js";
import { byHand, left, refund } from "./refunds.js";
import { t } from "./t.js";

const states = { NOTPAY: "waiting", SUCCESS: "ok", CLOSED: "neutral", REFUND: "neutral" };
const deliveries = { waiting: "waiting", acknowledged: "ok", abandoned: "bad", lost: "fault" };

export class Ledger {
  // onAttempt(seq, number, out_trade_no) is called with every send, for the log.
  // onOrders(orders) is called whenever the ledger was read.
  constructor(panel, info, clock, onAttempt, onOrders) {
    this.onAttempt = onAttempt;
    this.onOrders = onOrders;
    this.panel = panel;
    this.info = info;
    this.clock = clock;
    this.owed = document.getElementById("owed");
    this.list = el("div", { class: "scroll ledger" });
    this.drawn = new Map(); // out_trade_no: { node, data }, data is the JSON that the node shows
    this.nicknames = new Map(info.users.map((user) => [user.openid, user.nickname]));
    this.menu = el("div", { class: "menu", id: "forge", popover: "auto" });
    document.body.append(this.menu);
    this.read();
    setInterval(() => this.count(), 1000);
  }

  // read shows the ledger again. Calls within 60 ms are one.
  read() {
    clearTimeout(this.planned);
    this.planned = setTimeout(async () => {
      try { this.show(await get("ledger")); } catch { /* said elsewhere */ }
    }, 60);
  }

  show({ orders, trades, refunds, notifications }) {
    this.owed.textContent = orders.length || "";
    this.onOrders(orders);
    for (const n of notifications) n.attempts.forEach((a, i) => this.onAttempt(a.message, i + 1, n.out_trade_no));
    if (orders.length === 0) {
      this.drawn.clear();
      this.panel.replaceChildren(el("div", { class: "empty" }, el("h2", {}, t("order.none")),
        el("p", {}, t("order.hint"))));
      return;
    }
    const paid = new Map(trades.map((trade) => [trade.out_trade_no, trade]));
    const of = (list, order) => list.filter((entry) => entry.out_trade_no === order.out_trade_no);
    showNodes(this.list, orders.toReversed().map((order) => this.article(order, paid.get(order.out_trade_no), of(refunds, order), of(notifications, order))));
    showNodes(this.panel, [this.list]);
    this.count();
  }

  // article is the node of an order. It is drawn again only when its content has changed.
  article(order, ...content) {
    const data = JSON.stringify([order, ...content]);
    let known = this.drawn.get(order.out_trade_no);
    if (known?.data !== data) {
      known = { data, node: this.order(order, ...content) };
      this.drawn.set(order.out_trade_no, known);
    }
    return known.node;
  }

  order(order, trade, refunds, notifications) {
    const fact = (name, value) => value && el("div", {}, el("dt", {}, name), el("dd", {}, value));
    const at = (time) => clockTime(new Date(time));
    return el("article", { class: "order" },
      el("header", {},
        el("span", { class: "sum" }, yuan(order.total_fee)),
        el("span", { class: "name" }, el("b", {}, order.body), el("code", {}, order.out_trade_no, copyButton(order.out_trade_no))),
        el("span", { class: `chip ${states[order.state] ?? "neutral"}` }, t(`state.${order.state}`))),
      el("dl", { class: "facts" },
        fact(t("fact.payer"), this.nicknames.get(trade?.openid ?? order.openid) ?? order.openid),
        order.trade_type !== "JSAPI" && fact(t("fact.by"), order.trade_type),
        fact(t("fact.ordered"), at(order.created)),
        trade && fact(t("fact.paid"), `${at(trade.paid)} · ${trade.bank_type}`),
        order.state === "NOTPAY" && fact(t("fact.expires"), el("span", { class: "expires", "data-at": order.expires })),
        trade && trade.cash_fee !== trade.total_fee && fact(t("fact.cash"), t("fact.cash_coupon", { cash: yuan(trade.cash_fee), coupon: yuan(trade.coupon_fee) })),
        fact(t("fact.api"), `API${order.version}`),
        fact(t("fact.sign"), order.sign_type),
        trade && fact(t("fact.transaction"), el("code", {}, trade.transaction_id)),
        fact("prepay_id", el("code", {}, order.prepay_ids.at(-1), order.prepay_ids.length > 1 ? ` ${t("fact.of", { n: order.prepay_ids.length })}` : "")),
        order.code_url && order.state === "NOTPAY" && fact("code_url", el("code", {}, order.code_url, copyButton(order.code_url))),
        order.mweb_url && order.state === "NOTPAY" && fact("mweb_url", el("code", {}, order.mweb_url, copyButton(order.mweb_url))),
        refunds.length > 0 && fact(t("fact.left"), yuan(left(order, refunds)))),
      notifications.filter((n) => !n.out_refund_no).map((n, i) => this.notification(n, i + 1, order.version)),
      refunds.map((r) => refund(r, notifications.filter((n) => n.out_refund_no === r.out_refund_no).map((n, i) => this.notification(n, i + 1, r.notify_version)), this.info, (...list) => this.choose(...list))),
      el("footer", {}, el("span", { class: "to", title: order.notify_url }, order.notify_url),
        trade && left(order, refunds) > 0 && byHand(order, left(order, refunds), (...content) => this.open(...content)), this.send(order, trade), this.forge(order)));
  }

  notification(n, number, version) {
    const next = n.state === "waiting" && n.next && el("li", { class: "next" },
      el("span", { class: "in", "data-at": n.next }), this.jump(n.next));
    return el("section", { class: "notification" },
      el("h3", {}, t("notification", { n: number }), n.forge && el("span", { class: "chip fault" }, t("forged", { forge: n.forge })), el("span", { class: `chip ${deliveries[n.state] ?? "neutral"}` }, t(`delivery.${n.state}`))),
      el("ol", {}, n.attempts.map((attempt) => el("li", { class: attempt.ok ? "good" : "bad" },
        el("time", {}, clockTime(new Date(attempt.time))),
        el("span", {}, attempt.ok ? (version === "v3" ? String(attempt.status) : `${attempt.status} SUCCESS`) : attempt.reason || t("attempt.status", { status: attempt.status })))), next));
  }

  jump(next) {
    const button = el("button", { type: "button", class: "plain" }, t("go.there"));
    button.addEventListener("click", () => act(button, () => this.clock.advance(Math.max(1, new Date(next) - this.clock.now() + 50))));
    return button;
  }

  send(order, trade) {
    const button = el("button", { type: "button", class: "small", disabled: !trade, title: t(trade ? "send.title" : "send.unpaid") }, t("send.again"));
    button.addEventListener("click", () => act(button, () => post("notifications", { out_trade_no: order.out_trade_no, forge: "" })));
    return button;
  }

  forge(order) {
    const button = el("button", { type: "button", class: "small", popovertarget: "forge" }, t("forge"));
    button.addEventListener("click", () => this.choose(button, t("forge.title"), [...this.info.forgeries, ...(order.version === "v3" ? this.info.v3_forgeries : [])].map((forge) =>
      [t(`forge.${forge}`), forge, () => act(button, () => post("notifications", { out_trade_no: order.out_trade_no, forge }))])));
    return button;
  }

  // choose opens a list below a button: [text, name, description] each.
  choose(button, title, choices) {
    this.open(button, title, el("ul", { class: "choices" }, choices.map(([words, name, run]) => {
      const choice = el("button", { type: "button" }, el("b", {}, words), el("code", {}, name));
      choice.addEventListener("click", () => {
        this.menu.hidePopover();
        run();
      });
      return el("li", {}, choice);
    })));
  }

  open(button, title, content) {
    this.menu.replaceChildren(el("h3", {}, title), content);
    place(this.menu, button);
  }

  // count updates the times until the next retries, and until orders expire.
  count() {
    const rest = (node) => new Date(node.dataset.at) - this.clock.now();
    for (const node of this.panel.querySelectorAll(".in")) {
      node.textContent = rest(node) > 0 ? t("next.in", { span: span(rest(node)) }) : t("next.now");
    }
    for (const node of this.panel.querySelectorAll(".expires")) {
      node.textContent = t("fact.expires_in", { span: span(rest(node)) });
    }
  }
}
