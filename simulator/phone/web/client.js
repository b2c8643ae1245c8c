// The part of the client that every page gets, in a browser too: the user agent, the
// title bar, and the reports of errors.
// Go wraps the files of this folder in one function that receives `config`.

const prefix = "/__wechat/";

// The address with which this webview was opened. iOS compares it with the payment
// directory, not the current one, so it is read before any pushState
// (docs/wechat.md 5.5).
const landing = location.href;

// Keep the functions that send before the page can wrap them.
const nativeFetch = window.fetch.bind(window);
const nativeError = console.error.bind(console);

// post sends JSON to the simulator without the shop's cookies: both have one origin
// here.
async function post(path, body, keepalive = false) {
  const answer = await nativeFetch(prefix + path, {
    method: "POST",
    credentials: "omit",
    keepalive,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body ?? {}),
  });
  const decoded = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(decoded.error || `the simulator answered ${answer.status}`);
  return decoded;
}

function define(name, value) {
  Object.defineProperty(Navigator.prototype, name, { get: () => value, configurable: true });
}
define("userAgent", config.place.user_agent);
define("appVersion", config.place.user_agent.replace(/^Mozilla\//, ""));
define("platform", config.place.platform);
define("maxTouchPoints", config.place.touch_points);
define("userAgentData", undefined); // it would name the real browser

// Some clients have a service worker that cannot be registered.
if (config.worker && navigator.serviceWorker) {
  navigator.serviceWorker.register = () => {
    if (config.worker === "throws") throw new DOMException("The operation is insecure.", "SecurityError");
  };
}

// Remove what an engine of 2019 does not have. oldengine.go replaces the scripts.
if (config.place.old) {
  for (const name of ["structuredClone", "WeakRef", "FinalizationRegistry", "AggregateError"]) delete window[name];
  for (const name of ["findLast", "toReversed", "toSorted", "toSpliced", "with"]) delete Array.prototype[name];
  delete String.prototype.replaceAll;
  delete Promise.any;
}

// Each person has other storage in each environment. Empty it on a change. (The proxy
// separates the cookies.)
function ownStorage() {
  const name = "wechat-phone-jar";
  const last = localStorage.getItem(name);
  if (last === config.jar) return;
  if (last !== null) {
    localStorage.clear();
    sessionStorage.clear();
  }
  localStorage.setItem(name, config.jar);
}
try {
  if (!config.own) ownStorage();
} catch { /* a page without storage keeps nothing */ }

// --- the title bar ----------------------------------------------------------

// A page in a window of its own has no bar to report to.
const desk = window.parent === window ? null : window.parent;
let told = "";

function tellDesk() {
  const state = {
    wechat: "page",
    title: document.title,
    url: location.href,
    canGoBack: window.navigation ? navigation.canGoBack : history.length > 1,
  };
  const key = JSON.stringify(state);
  if (!desk || key === told) return;
  told = key;
  desk.postMessage(state, config.desk);
}

function closeWindow() {
  if (desk) desk.postMessage({ wechat: "close" }, config.desk);
}

if (desk) {
  new MutationObserver(tellDesk).observe(document.documentElement, {
    subtree: true, childList: true, characterData: true,
  });
  window.navigation?.addEventListener("currententrychange", tellDesk);
  for (const event of ["DOMContentLoaded", "load", "pageshow", "popstate", "hashchange"]) {
    window.addEventListener(event, () => { told = ""; tellDesk(); });
  }
  window.addEventListener("message", (event) => {
    if (event.source !== desk || event.origin !== config.desk) return;
    switch (event.data?.wechat) {
      case "reload": location.reload(); break;
      case "back": history.back(); break;
      case "hello": told = ""; tellDesk(); break;
    }
  });
}

// --- errors of the page -----------------------------------------------------

// Limit the reports: a page may fail in a loop.
let reportsLeft = 40;

function report(level, text) {
  if (reportsLeft-- <= 0) return;
  post("log", { level, text: text.slice(0, 4000), url: location.href.slice(0, 2000) }, true).catch(() => {});
}

function describe(value) {
  if (value instanceof Error) return value.stack || String(value);
  if (typeof value === "string") return value;
  try { return JSON.stringify(value) ?? String(value); } catch { return String(value); }
}

window.addEventListener("error", (event) => {
  if (event.message) {
    report("uncaught", `${event.error?.stack || event.message}\n    at ${event.filename}:${event.lineno}:${event.colno}`);
  } else if (event.target?.src || event.target?.href) {
    report("load", `cannot load ${event.target.src || event.target.href}`);
  }
}, true);
window.addEventListener("unhandledrejection", (event) => report("rejection", describe(event.reason)));
document.addEventListener("securitypolicyviolation", (event) =>
  report("policy", `${event.effectiveDirective} blocks ${event.blockedURI || "inline code"}`));
console.error = (...args) => {
  nativeError(...args);
  report("console", args.map(describe).join(" "));
};
