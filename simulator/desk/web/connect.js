// The settings for a shop, and the control API as curl lines.

import { el } from "./dom.js";
import { code, section, show, table, value, words } from "./doc.js";
import { said, t } from "./t.js";
import { needs } from "./v3.js";

export function connect(panel, info) {
  const vars = [
    ["WECHAT_APPID", info.appid], ["WECHAT_APPSECRET", info.appsecret], ["WECHAT_MCH_ID", info.mch_id],
    ["WECHAT_API_KEY", info.api_key], ["WECHAT_BASE_URL", info.wechat_url], ["SHOP_URL", info.phone_url],
  ].map(([name, value]) => `${name}="${value}"`).join("\n");
  show(panel,
    section(t("connect.point"), t("connect.point_text"), code(vars)),
    section(t("connect.hosts"), t("connect.hosts_text"),
      table([t("lane.wechat"), t("connect.here")], ["https://open.weixin.qq.com", "https://api.weixin.qq.com", "https://api.mch.weixin.qq.com", "https://wx.tenpay.com"].map((host) => [el("code", {}, host), value(info.wechat_url)]))),
    section(t("connect.domain"), t("connect.domain_text"),
      table(["", ""], [
        [t("connect.phone"), value(info.phone_url)],
        [t("connect.forwards"), value(info.shop_url || t("connect.no_shop"))],
        [t("connect.dirs"), el("span", {}, (info.pay_dirs).map((dir) => el("code", { class: "block" }, dir)))],
        [t("connect.checks"), t(info.environments.find((place) => place.environment === info.environment).apple ? "connect.ios" : "connect.android")],
        [t("connect.h5"), el("span", {}, info.h5_domains.map((domain) => el("code", { class: "block" }, domain)))],
      ])),
    needs(info),
    section(t("connect.refunds"), t(info.plain_refunds ? "connect.refunds_plain" : "connect.refunds_text"),
      table(["", ""], [[t("connect.tls"), info.tls_url ? value(info.tls_url) : t("connect.no_tls")], [t("connect.hand"), info.refund_notify_url ? value(info.refund_notify_url) : t("connect.no_hand")]])),
    section(t("connect.people"), t("connect.people_text"),
      table(["", "openid"], info.users.map((user) => [el("span", { class: "person" }, picture(user), user.nickname), value(user.openid)]))));
}

const picture = (user) => (user.avatar ? el("img", { src: user.avatar, alt: "", width: 22, height: 22 }) : null);

// curl shows every call of the control API with this desk's real address.
export function curl(panel, info) {
  const base = location.origin;
  const groups = [...new Set(info.api.map((call) => call.group))];
  panel.replaceChildren(el("div", { class: "scroll doc" },
    el("p", { class: "lead" }, words(t("curl.lead"))),
    groups.map((group) => el("section", {}, el("h2", {}, t(`group.${group}`)),
      info.api.filter((call) => call.group === group).map((call) => el("div", { class: "call" }, el("p", {}, words(said(`call.${call.method} ${call.path}`, call.text))), code(line(base, call))))))));
}

function line(base, call) {
  const url = base + call.path.replace("{id}", "ID") + (call.query ?? "");
  const quoted = /[?&]/.test(url) ? `'${url}'` : url;
  const flags = { GET: call.path.endsWith("/events") ? "-N " : "", POST: call.body ? "" : "-X POST ", DELETE: "-X DELETE " }[call.method] ?? "";
  return `curl ${flags}${quoted}${call.body ? ` \\\n  -d '${call.body}'` : ""}`;
}
