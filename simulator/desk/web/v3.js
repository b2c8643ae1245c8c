// The keys of APIv3 on the desk: those of the merchant and of WeChat, and the buttons that
// change them.

import { act, el } from "./dom.js";
import { post } from "./control.js";
import { code, section, show, table, value } from "./doc.js";
import { t } from "./t.js";

// pressed is the id of the control that was used last. It gets the focus back when the
// panel is drawn again.
let pressed = "";

const modes = ["public_key", "certificates", "both"];

// keys shows the panel. changed(v3) runs with the keys after a change. What a person typed, the
// focus and an opened key stay as they are when other keys are drawn.
export function keys(panel, v3, changed) {
  const field = document.getElementById("v3-share");
  const typed = field && field.value !== field.defaultValue && Number(field.value) !== v3.share;
  const focused = panel.contains(document.activeElement) ? document.activeElement.id : "";
  const opened = panel.querySelector("details")?.open;

  const run = (control, path, body) => {
    pressed = control.id;
    return act(control, async () => changed(await post(`v3/${path}`, body)));
  };
  const call = (label, path, body) => {
    const button = el("button", { type: "button", class: "small", id: `v3-${path.replace("/", "-")}` }, label);
    button.addEventListener("click", () => run(button, path, body));
    return button;
  };
  const choose = el("select", { id: "v3-mode", "aria-label": t("v3.mode") }, modes.map((mode) => el("option", { value: mode, selected: mode === v3.mode }, t(`v3.mode.${mode}`))));
  choose.addEventListener("change", () => run(choose, "mode", { mode: choose.value }));
  const percent = el("input", { type: "number", id: "v3-share", min: 0, max: 100, step: 0.1, value: v3.share, "aria-label": t("v3.share") });
  if (typed) percent.value = field.value;
  const set = el("button", { type: "button", class: "small", id: "v3-set" }, t("v3.set"));
  set.addEventListener("click", () => run(set, "share", { percent: Number(percent.value) }));

  const acts = (...content) => el("span", { class: "acts" }, content);
  const old = v3.valid_serials.filter((serial) => serial !== v3.serial);
  show(panel,
    section(t("v3.mode"), t(`v3.mode_text.${v3.mode}`),
      acts(choose, ...(v3.mode === "both" ? [el("label", { for: "v3-share" }, t("v3.share")), percent, el("span", {}, "%"), set] : []))),
    section(t("v3.merchant"), t("v3.merchant_text"),
      table(["", ""], [
        [t("v3.serial"), value(v3.serial)],
        old.length > 0 && [t("v3.still_valid"), serials(old)],
      ]),
      acts(call(t("v3.rotate"), "merchant-key/rotate"), old.length > 0 && call(t("v3.revoke"), "merchant-key/revoke"))),
    v3.mode !== "certificates" && section(t("v3.public"), t("v3.public_text"),
      table(["", ""], [[t("v3.public_id"), value(v3.public_key_id)]]),
      pem(t("v3.public_pem"), v3.public_key, opened),
      acts(call(t("v3.rotate"), "public-key/rotate"))),
    v3.mode !== "public_key" && section(t("v3.platform"), t("v3.platform_text"),
      table(["", ""], v3.certificates.map((c) => [c.signs ? t("v3.signs") : t("v3.listed"), value(c.serial)])),
      acts(call(t("v3.announce"), "certificate/announce"), call(t("v3.rotate_platform"), "certificate/rotate"))),
    section(t("v3.key"), t("v3.key_text"),
      table(["", ""], [[t("v3.key"), value(v3.api_v3_key)]]),
      acts(call(t("v3.change"), "key", {}))));
  if (document.activeElement === document.body) document.getElementById(focused || pressed)?.focus({ preventScroll: true });
}

const serials = (list) => el("span", {}, list.map((serial) => el("code", { class: "block" }, serial)));

const pem = (label, text, open) => el("details", { class: "compare", open }, el("summary", {}, label), code(text));

// needs is the section of the connect panel: the settings of a client of APIv3.
export function needs(info) {
  const { v3 } = info;
  const dir = info.v3_dir || "merchant-v3";
  const file = (name) => el("code", { class: "block" }, `${dir}/${name}`);
  const verifies = [
    v3.public_key_id && [t("v3.public_id"), value(v3.public_key_id)],
    v3.certificates && [t("v3.platform"), serials(v3.certificates.map((c) => c.serial))],
  ];
  return [
    section("APIv3", t("needs.text"), table(["", ""], [
      [t("needs.base"), value(info.wechat_url)],
      [t("needs.paths"), el("span", {}, ["/v3/pay/transactions/…", "/v3/refund/domestic/refunds", "/v3/bill/…", v3.certificates && "/v3/certificates"].filter(Boolean).map((path) => el("code", { class: "block" }, path)))],
      ["mchid", value(v3.mch_id)],
      [t("v3.serial"), value(v3.serial)],
      [t("v3.key"), value(v3.api_v3_key)],
      ...verifies,
      [t("needs.files"), el("span", {}, info.v3_dir ? null : t("needs.no_dir"),
        file("apiclient_key.pem"), file("apiclient_cert.pem"), v3.public_key_id && file("pub_key.pem"), (v3.certificates ?? []).map((c) => file(`wechatpay_${c.serial}.pem`)), file("v3.txt"))],
    ])),
    section(t("needs.curl"), t(info.v3_dir ? "needs.curl_text" : "needs.curl_dir"), code(example(info, dir), "v3-curl")),
  ];
}

// example is a shell script that signs a call with openssl. The five lines that it signs
// are those of docs/simulator-v3.md.
function example({ v3, wechat_url }, dir) {
  const serial = v3.public_key_id || v3.certificates.find((c) => c.signs).serial;
  return [
    `KEY='${dir}/apiclient_key.pem'`,
    "URI=/v3/security/echo",
    `BODY='{"echo_message":"hello"}'`,
    "TIME=$(date +%s); NONCE=$(openssl rand -hex 16)",
    `SIGNATURE=$(printf 'POST\\n%s\\n%s\\n%s\\n%s\\n' "$URI" "$TIME" "$NONCE" "$BODY" | openssl dgst -sha256 -sign "$KEY" | openssl base64 -A)`,
    `curl -i "${wechat_url}$URI" -d "$BODY" -H 'Content-Type: application/json' -H 'Accept: application/json' \\`,
    `  -H 'Wechatpay-Serial: ${serial}' \\`,
    `  -H "Authorization: WECHATPAY2-SHA256-RSA2048 mchid=\\"${v3.mch_id}\\",serial_no=\\"${v3.serial}\\",nonce_str=\\"$NONCE\\",timestamp=\\"$TIME\\",signature=\\"$SIGNATURE\\""`,
  ].join("\n");
}
