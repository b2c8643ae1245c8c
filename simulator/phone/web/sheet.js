// The client's own dialogs over the page: the payment sheet and the alert. They are in
// a shadow tree outside <body> with a constructed stylesheet, so that the page's
// styles, its framework and its policy do not affect them.

const sheetStyle = new CSSStyleSheet();
sheetStyle.replaceSync(config.css);

function overlay() {
  const host = document.createElement("wechat-client");
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [sheetStyle];
  document.documentElement.append(host);
  return { host, root };
}

// el builds an element without innerHTML, which Trusted Types may forbid.
function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== undefined && child !== null));
  return node;
}

function path(d, className) {
  const space = "http://www.w3.org/2000/svg";
  const icon = document.createElementNS(space, "svg");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("aria-hidden", "true");
  if (className) icon.setAttribute("class", className);
  const line = document.createElementNS(space, "path");
  line.setAttribute("d", d);
  icon.append(line);
  return icon;
}

// yuan prints fen: 880 -> 8.80.
function yuan(fen) {
  return `${Math.trunc(fen / 100)}.${String(fen % 100).padStart(2, "0")}`;
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

async function close(dialog, host) {
  dialog.classList.add("leaving");
  if (!still()) await pause(240);
  dialog.close();
  host.remove();
}

// avatar is a disc with the first character of the nickname. A picture would need the
// page's img-src.
function avatar(user) {
  const name = user.nickname || "微信用户";
  const hue = [...(user.openid || name)].reduce((sum, c) => (sum * 31 + c.codePointAt(0)) % 360, 7);
  const disc = el("span", { class: "avatar", "aria-hidden": "true" }, [...name][0]);
  disc.style.setProperty("--hue", hue);
  return disc;
}

// openSheet shows the sheet until it is paid or cancelled, here or through the
// control API, and returns the err_msg for the page.
async function openSheet(sheet) {
  const { host, root } = overlay();
  let answer;
  const answered = new Promise((resolve) => { answer = resolve; });
  const error = el("p", { class: "error", role: "alert" });
  const payer = sheet.user || {};

  async function press(action) {
    dialog.setAttribute("data-busy", action);
    pay.disabled = true;
    error.textContent = "";
    try {
      answer(await post(`sheets/${encodeURIComponent(sheet.id)}/${action}`));
    } catch (problem) {
      error.textContent = problem.message;
      dialog.removeAttribute("data-busy");
      pay.disabled = false;
    }
  }
  const pay = el("button", { class: "pay", type: "button", autofocus: true, click: () => press("pay") }, "立即支付");
  const amount = el("p", { class: "amount", "aria-label": `${yuan(sheet.amount)} 元` },
    el("span", { class: "sign" }, "¥"), yuan(sheet.amount));
  const dialog = el("dialog", { class: "sheet", role: "dialog", "aria-modal": "true", "aria-label": "微信支付" },
    el("header", {},
      el("button", { class: "close", type: "button", "aria-label": "取消支付", click: () => press("cancel") },
        path("M5 5 19 19M19 5 5 19")),
      el("h1", {}, "微信支付")),
    el("div", { class: "face" },
      el("p", { class: "shop" }, sheet.shop),
      amount,
      el("dl", {},
        el("div", {}, el("dt", {}, "商品"), el("dd", { class: "item" }, sheet.item)),
        el("div", {}, el("dt", {}, "付款人"), el("dd", {}, avatar(payer), payer.nickname || "微信用户")),
        el("div", {}, el("dt", {}, "付款方式"), el("dd", {}, path("M3 7h18v12H3zM3 11h18", "wallet"), "零钱"))),
      error,
      pay),
    el("div", { class: "done", "aria-live": "polite" }));
  // Escape is the client's back gesture. The simulator may decline it.
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); press("cancel"); });
  dialog.addEventListener("keydown", (event) => keepFocus(event, dialog));
  root.append(dialog);
  dialog.showModal();

  const left = () => navigator.sendBeacon(`${prefix}sheets/${encodeURIComponent(sheet.id)}/cancel`);
  window.addEventListener("pagehide", left);
  watchSheet(sheet.id, answered, answer);
  const result = await answered;
  window.removeEventListener("pagehide", left);
  if (result.state === "paid") await thank(dialog, sheet);
  await close(dialog, host);
  if (result.err_desc) await openAlert(result.err_desc);
  return result.err_msg;
}

// keepFocus keeps Tab inside a dialog. From a modal dialog it would move on to the
// browser.
function keepFocus(event, dialog) {
  if (event.key !== "Tab") return;
  const buttons = [...dialog.querySelectorAll("button:enabled")];
  const at = buttons.indexOf(dialog.getRootNode().activeElement);
  event.preventDefault();
  buttons.at((at + (event.shiftKey ? -1 : 1)) % buttons.length)?.focus();
}

// watchSheet polls until the sheet is answered. Each poll waits at the server.
async function watchSheet(id, answered, answer) {
  let done = false;
  answered.then(() => { done = true; });
  while (!done) {
    try {
      const poll = await nativeFetch(`${prefix}sheets/${encodeURIComponent(id)}`, { credentials: "omit" });
      if (poll.status === 404) {
        // The simulator was restarted under an open sheet.
        answer({ state: "cancelled", err_msg: "get_brand_wcpay_request:cancel" });
        return;
      }
      const state = await poll.json();
      if (state.state !== "open") { answer(state); return; }
    } catch {
      await pause(1000);
    }
  }
}

// thank shows "paid" for a moment before the page is called back.
async function thank(dialog, sheet) {
  const done = dialog.querySelector(".done");
  done.append(
    path("M5.5 12.5 10 17 18.5 7.5", "tick"),
    el("p", { class: "word" }, "支付成功"),
    el("p", { class: "amount" }, el("span", { class: "sign" }, "¥"), yuan(sheet.amount)),
    el("p", { class: "shop" }, sheet.shop));
  dialog.classList.add("paid");
  await pause(config.thanks);
}

// openAlert is the dialog that WeChat shows before it calls the page back.
async function openAlert(text) {
  const { host, root } = overlay();
  await new Promise((resolve) => {
    const dialog = el("dialog", { class: "alert", role: "alertdialog", "aria-modal": "true", "aria-label": text },
      el("p", { class: "text" }, text),
      el("button", { type: "button", autofocus: true, click: () => resolve() }, "确定"));
    dialog.addEventListener("cancel", (event) => { event.preventDefault(); resolve(); });
    root.append(dialog);
    dialog.showModal();
  });
  await close(root.querySelector("dialog"), host);
}
