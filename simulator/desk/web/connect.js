// The settings for one's own shop, and the control API as curl lines.

import { copyButton, el } from "./dom.js";

const code = (text) => el("div", { class: "code" }, el("pre", {}, text), copyButton(text));

export function connect(panel, info) {
  const vars = [
    ["WECHAT_APPID", info.appid], ["WECHAT_APPSECRET", info.appsecret], ["WECHAT_MCH_ID", info.mch_id],
    ["WECHAT_API_KEY", info.api_key], ["WECHAT_BASE_URL", info.wechat_url], ["SHOP_URL", info.phone_url],
  ].map(([name, value]) => `${name}="${value}"`).join("\n");
  const table = (head, rows) => el("table", {},
    el("thead", {}, el("tr", {}, head.map((h) => el("th", {}, h)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell))))));
  const value = (text) => el("span", { class: "value" }, el("code", {}, text), copyButton(text));
  panel.replaceChildren(el("div", { class: "scroll doc" },
    section("Point a shop at this WeChat", "Any SDK that lets you set its base URL works. h5pay reads these from .dev.vars:", code(vars)),
    section("The hosts are one origin", "The paths stay as WeChat has them.",
      table(["WeChat", "here"], ["https://open.weixin.qq.com", "https://api.weixin.qq.com", "https://api.mch.weixin.qq.com", "https://wx.tenpay.com"].map((host) => [el("code", {}, host), value(info.wechat_url)]))),
    section("Your public domain", "The phone plays it: redirect_uri and notify_url point here, and what arrives goes on to the shop.",
      table(["", ""], [
        ["Phone", value(info.phone_url)],
        ["forwards to", value(info.shop_url || "(none: -shop)")],
        ["payment directories", el("span", {}, (info.pay_dirs).map((dir) => el("code", { class: "block" }, dir)))],
        ["checks them as", info.platform === "ios" ? "iPhone: by the address the webview was opened with" : "Android: by the current address"],
        ["H5 domains", el("span", {}, info.h5_domains.map((domain) => el("code", { class: "block" }, domain)))],
      ])),
    section("Refunds want a certificate", info.plain_refunds
      ? "WeChat takes `/secapi/pay/refund` only with the merchant's client certificate. Here the plain port takes it without, since `-plain-refunds` is set; the log says so."
      : "WeChat takes `/secapi/pay/refund` only with the merchant's client certificate. `-cert-dir DIR` writes it with its key; `-plain-refunds` does without.",
      table(["", ""], [["over TLS", info.tls_url ? value(info.tls_url) : "(none: -tls-port)"], ["refunds by hand are told to", info.refund_notify_url ? value(info.refund_notify_url) : "(nobody: -refund-notify-url)"]])),
    section("People", "Their openids under this account.",
      table(["", "openid"], info.users.map((user) => [el("span", { class: "person" }, picture(user), user.nickname), value(user.openid)])))));
}

const picture = (user) => (user.avatar ? el("img", { src: user.avatar, alt: "", width: 22, height: 22 }) : null);

const section = (title, text, ...content) => el("section", {}, el("h2", {}, title), el("p", {}, words(text)), content);

// words sets `quoted` parts as code.
const words = (text) => text.split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));

// curl shows every call of the control API with this desk's real address.
export function curl(panel, info) {
  const base = location.origin;
  const groups = [...new Set(info.api.map((call) => call.group))];
  const titles = { Look: "Look", Phone: "Be the person with the phone", Trouble: "Make trouble" };
  panel.replaceChildren(el("div", { class: "scroll doc" },
    el("p", { class: "lead" }, "Everything this page does, for scripts and tests. JSON both ways; an error is ", el("code", {}, '{"error": "…"}'), " with a 4xx status; unknown fields are refused. Start the simulator with ", el("code", {}, "-json"), " to read its addresses from a program."),
    groups.map((group) => el("section", {}, el("h2", {}, titles[group] ?? group),
      info.api.filter((call) => call.group === group).map((call) => el("div", { class: "call" }, el("p", {}, words(call.text)), code(line(base, call))))))));
}

function line(base, call) {
  const url = base + call.path.replace("{id}", "ID") + (call.query ?? "");
  const quoted = /[?&]/.test(url) ? `'${url}'` : url;
  const flags = { GET: call.path.endsWith("/events") ? "-N " : "", POST: call.body ? "" : "-X POST ", DELETE: "-X DELETE " }[call.method] ?? "";
  return `curl ${flags}${quoted}${call.body ? ` \\\n  -d '${call.body}'` : ""}`;
}
