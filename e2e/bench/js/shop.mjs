// The settings, checked, and the keys made of them.
import { refuse } from "./refusal.mjs";

const encoder = new TextEncoder();

// An origin, with http allowed for this machine only.
const originForm = /^(https:\/\/[^/?#@\s]+|http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?)$/;

const rules = [
  ["SHOP_NAME", /./, "is not set"],
  ["SHOP_URL", originForm, "must be an https origin without a path, like https://shop.example.com"],
  ["WECHAT_APPID", /^wx[0-9A-Za-z]{16}$/, "must be wx and 16 letters or digits"],
  ["WECHAT_MCH_ID", /^\d{8,32}$/, "must be 8 to 32 digits"],
  ["WECHAT_SIGN_TYPE", /^(HMAC-SHA256|MD5)$/, "must be HMAC-SHA256 or MD5"],
  ["WECHAT_BASE_URL", originForm, "must be an https origin without a path"],
  ["WECHAT_API_KEY", /^[0-9A-Za-z]{32}$/, "must be 32 letters or digits"],
  ["SELLING", /^(on|off)$/, "must be on or off"],
  ["SESSION_KEY", /^.{32,}$/s, "must have at least 32 characters"],
];

const defaults = { SELLING: "on", WECHAT_SIGN_TYPE: "HMAC-SHA256", WECHAT_BASE_URL: "https://api.mch.weixin.qq.com" };

// openShop reads the settings. The refusal's cause names the one that is wrong,
// never its value.
export async function openShop(bindings) {
  const env = {};
  for (const [name, form, problem] of rules) {
    env[name] = bindings[name] || defaults[name] || "";
    if (!form.test(env[name])) {
      throw refuse("misconfigured", "the shop is not set up, its log says what is missing", `setting ${name} ${env[name] ? problem : "is not set"}`);
    }
  }
  const { origin, protocol } = new URL(env.SHOP_URL);
  return {
    name: env.SHOP_NAME,
    origin,
    appid: env.WECHAT_APPID,
    mchID: env.WECHAT_MCH_ID,
    signType: env.WECHAT_SIGN_TYPE,
    selling: env.SELLING === "on",
    baseURL: env.WECHAT_BASE_URL,
    simulated: bindings.WECHAT_BASE_URL ? 1 : 0,
    apiKey: env.WECHAT_API_KEY,
    hmacKey: await crypto.subtle.importKey("raw", encoder.encode(env.WECHAT_API_KEY), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]),
    // With the prefix __Host- a browser takes the cookie from this very host.
    cookie: protocol === "https:" ? "__Host-h5pay_session" : "h5pay_session",
    cookieKey: await cookieKey(env.SESSION_KEY, env.WECHAT_APPID),
  };
}

async function cookieKey(secret, appid) {
  const master = await crypto.subtle.importKey("raw", encoder.encode(secret), "HKDF", false, ["deriveKey"]);
  const hkdf = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: encoder.encode(`h5pay cookie h5pay_session ${appid}`) };
  return crypto.subtle.deriveKey(hkdf, master, { name: "AES-GCM", length: 256 }, false, ["decrypt"]);
}
