// Small helpers: elements, icons, texts of amounts and times.

import { lang, t } from "./t.js";

// el builds an element: el("button", {class: "x", click: f}, "text", child).
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

// unlessSame wraps draw(data): it does not run again with the same data. A click is lost if its
// button is replaced while it is pressed, and so is the focus.
export function unlessSame(draw) {
  let last;
  return (data) => {
    const now = JSON.stringify(data);
    if (now === last) return;
    last = now;
    draw(data);
  };
}

// showNodes makes nodes the children of a box. Those that are in it already stay in place.
export function showNodes(box, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...box.children]) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, i) => { if (box.children[i] !== node) box.insertBefore(node, box.children[i] ?? null); });
}

const shapes = {
  close: "M6 6 18 18M18 6 6 18",
  back: "M14.5 5 8 12l6.5 7",
  reload: "M19 12a7 7 0 1 1-2.2-5.1M19 4v4.2h-4.2",
  chevron: "M9 6l6 6-6 6",
  copy: "M9 9h10v10H9zM5 15V5h10",
  check: "M5 12.5 10 17.5 19 7",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M18.4 5.6 17 7M7 17l-1.4 1.4",
  cellular: "M4 18v-3M9 18v-6M14 18V9M19 18V6",
  wifi: "M4 10.5a11.5 11.5 0 0 1 16 0M7 14a7 7 0 0 1 10 0M12 17.5h.01",
  camera: "M4 8h3l1.6-2.4h6.8L17 8h3v11H4zM12 10a3.4 3.4 0 1 0 0 6.8 3.4 3.4 0 0 0 0-6.8",
  battery: "M3 8h16v8H3zM21.5 11v2M6 11v2M9 11v2M12 11v2M15 11v2",
};

export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `i i-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", shapes[name]);
  svg.append(path);
  return svg;
}

// copyButton copies text, or what text() returns, exactly.
export function copyButton(text, label = t("copy")) {
  const button = el("button", { type: "button", class: "copy", title: label, "aria-label": label }, icon("copy"));
  button.addEventListener("click", async (event) => {
    event.stopPropagation();
    try {
      await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
      button.replaceChildren(icon("check"));
    } catch {
      toast(t("copy.denied"));
      return;
    }
    setTimeout(() => button.replaceChildren(icon("copy")), 1200);
  });
  return button;
}

// yuan prints fen: 880 -> ¥8.80.
export function yuan(fen) {
  const sign = fen < 0 ? "-" : "";
  const whole = Math.abs(Math.trunc(fen));
  return `${sign}¥${Math.trunc(whole / 100)}.${String(whole % 100).padStart(2, "0")}`;
}

// Times are shown in Beijing time, as in WeChat's messages.
const beijing = { timeZone: "Asia/Shanghai", hourCycle: "h23" };
const timeForm = new Intl.DateTimeFormat("en-GB", { ...beijing, hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayForm = new Intl.DateTimeFormat(lang === "zh" ? "zh-CN" : "en-GB", { ...beijing, day: "numeric", month: "short", year: "numeric" });

export const clockTime = (date) => timeForm.format(date);
export const day = (date) => dayForm.format(date);
export const milliseconds = (date) => `.${String(date.getMilliseconds()).padStart(3, "0")}`;

// span prints a duration in ms: 195000 -> 3 min 15 s.
export function span(ms) {
  const units = [["d", 86400e3], ["h", 3600e3], ["min", 60e3], ["s", 1e3]];
  let rest = Math.max(0, Math.round(ms / 1000) * 1000);
  const parts = [];
  for (const [unit, size] of units) {
    const n = Math.floor(rest / size);
    rest -= n * size;
    if (n > 0) parts.push(`${n} ${t(`unit.${unit}`)}`);
  }
  return parts.slice(0, 2).join(" ") || `0 ${t("unit.s")}`;
}

let toastTimer;
export function toast(text) {
  const box = document.getElementById("toast");
  box.textContent = text;
  box.classList.add("on");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => box.classList.remove("on"), 5000);
}

// act runs a control call for a button, which is disabled meanwhile, and shows its
// error.
export async function act(button, call) {
  button.disabled = true;
  try {
    return await call();
  } catch (error) {
    toast(error.message);
  } finally {
    button.disabled = false;
  }
}
