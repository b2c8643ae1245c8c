// The controls of the simulator: the person, the clock, the faults, and the open
// sheets and consent pages.

import { act, clockTime, day, el, icon, span, unlessSame, yuan } from "./dom.js";
import { get, post, remove } from "./control.js";
import { said, t } from "./t.js";

// --- the clock --------------------------------------------------------------

const skips = [15e3, 180e3, 7200e3];

export class Clock {
  constructor(info, changed) {
    this.scale = info.time_scale;
    this.changed = changed;
    this.set(info.now);
    document.getElementById("skips").replaceChildren(...skips.map((ms) => {
      const button = el("button", { type: "button", title: t("clock.by", { span: span(ms) }) }, `+${span(ms)}`);
      button.addEventListener("click", () => act(button, () => this.advance(ms)));
      return button;
    }));
    if (this.scale !== 1) document.getElementById("day").after(el("span", { class: "scale", title: t("clock.scale") }, `×${this.scale}`));
    setInterval(() => this.tick(), 500);
  }

  async advance(ms) {
    const { now } = await post("clock", { advance_ms: Math.ceil(ms) });
    this.set(now);
    this.changed();
  }

  set(now) {
    this.base = new Date(now).getTime();
    this.since = performance.now();
    this.tick();
  }

  now() { return this.base + (performance.now() - this.since) * this.scale; }

  tick() {
    const now = new Date(this.now());
    document.getElementById("now").textContent = clockTime(now);
    document.getElementById("day").textContent = day(now);
    document.getElementById("hour").textContent = clockTime(now).slice(0, 5);
  }
}

// --- the user of the phone --------------------------------------------------

export class Holder {
  constructor(info) {
    this.select = document.getElementById("user");
    this.select.replaceChildren(...info.users.map((user) => el("option", { value: user.openid }, user.nickname)));
    this.set(info.user);
    this.select.addEventListener("change", () => act(this.select, () => post("user", { openid: this.select.value })));
  }

  set(user) { this.select.value = user.openid; }
}

// --- faults -----------------------------------------------------------------

// The faults with a button of their own. The others are in the menu "More".
const common = [
  { kind: "notify_lost" },
  { kind: "notify_doubled" },
  { kind: "notify_delayed", delay_ms: 30000 },
  { kind: "system_error", path: "order" },
  { kind: "timeout_after", path: "order" },
  { kind: "code_used" },
  { kind: "sheet_fail" },
  { kind: "paid_as_cancel" },
];

// pathName names the call of a fault. Most paths are WeChat's own.
const pathName = (path) => (path.startsWith("/") ? path : t(`path.${path}`));

const same = (a, b) => a.kind === b.kind && (a.path ?? "") === (b.path ?? "");

export class Faults {
  constructor(info) {
    this.kinds = new Map(info.fault_kinds.map((kind) => [kind.kind, kind]));
    this.box = document.getElementById("faults");
    this.presets = common.filter((fault) => this.kinds.has(fault.kind));
    this.menu = this.more(info);
    document.body.append(this.menu);
    this.read();
  }

  async read() { this.show((await get("faults")).faults); }

  show(queue) {
    const pills = this.presets.map((fault) => this.pill(t(`preset.${fault.kind}`), fault, waiting(queue, fault)));
    const others = queue.filter((fault) => !this.presets.some((preset) => same(preset, fault)))
      .filter((fault, i, list) => list.findIndex((f) => same(f, fault)) === i);
    for (const fault of others) pills.push(this.pill(fault.path ? `${t(`label.${fault.kind}`)} · ${pathName(fault.path)}` : t(`label.${fault.kind}`), fault, waiting(queue, fault)));
    const more = el("button", { type: "button", class: "pill more", popovertarget: "more-faults" }, t("more"));
    more.addEventListener("click", () => place(this.menu, more));
    const clear = queue.length > 0 && el("button", { type: "button", class: "plain" }, t("clear"));
    if (clear) clear.addEventListener("click", () => act(clear, () => remove("faults")));
    this.box.replaceChildren(...[...pills, more, clear].filter(Boolean));
  }

  pill(label, fault, count) {
    const { kind, path, delay_ms } = fault;
    const button = el("button", { type: "button", class: count ? "pill queued" : "pill", title: said(`fault.${kind}`, this.kinds.get(kind)?.text), "aria-pressed": String(count > 0) },
      label, count > 0 && el("b", {}, `×${count}`));
    button.addEventListener("click", () => act(button, () => post("faults", { kind, path, delay_ms })));
    return button;
  }

  // more is the menu of all faults. A fault of calls has a list of paths.
  more(info) {
    const rows = info.fault_kinds.map((kind) => {
      const path = kind.paths && el("select", { "aria-label": t("call") }, el("option", { value: "" }, t("any.call")), kind.paths.map((p) => el("option", { value: p }, pathName(p))));
      const delay = kind.delay && el("input", { type: "number", min: 1, value: 30, "aria-label": t("seconds") });
      const add = el("button", { type: "button", class: "add" }, t("queue"));
      add.addEventListener("click", () => act(add, () => post("faults", {
        kind: kind.kind, path: path?.value || undefined, delay_ms: delay ? Math.round(Number(delay.value) * 1000) : undefined,
      })));
      return el("li", {}, el("div", {}, el("b", {}, t(`label.${kind.kind}`)), " ", el("code", {}, kind.kind), el("p", {}, said(`fault.${kind.kind}`, kind.text))), el("span", {}, path, delay && el("label", {}, delay, t("unit.s")), add));
    });
    return el("div", { class: "menu faults", id: "more-faults", popover: "auto" }, el("h3", {}, t("faults")), el("ul", {}, rows));
  }
}

const waiting = (queue, fault) => queue.filter((f) => same(f, fault)).reduce((sum, f) => sum + (f.count || 1), 0);

// place puts a popover below its button, or above it if there is no room. It runs
// twice, because the size is known only after the popover is shown.
export function place(menu, button) {
  const put = () => {
    const box = button.getBoundingClientRect();
    const height = menu.offsetHeight;
    const below = box.bottom + 6;
    menu.style.top = `${below + height <= innerHeight - 8 ? below : Math.max(8, box.top - 6 - height)}px`;
    menu.style.left = `${Math.max(8, Math.min(box.left, innerWidth - 468))}px`;
  };
  put();
  requestAnimationFrame(put);
}

// --- open sheets and consent pages ------------------------------------------

export class Waiting {
  constructor() {
    this.show = unlessSame(([sheets, consents]) => this.draw(sheets, consents));
    this.box = document.getElementById("waiting");
    this.read();
  }

  async read() {
    const [{ sheets }, { consents }] = await Promise.all([get("sheets"), get("consents")]);
    const open = (list) => list.filter((entry) => entry.state === "open");
    this.show([open(sheets), open(consents).slice(-1)]);
    return sheets;
  }

  draw(sheets, consents) {
    const bar = (text, path, answers) => el("div", { class: "bar-row" }, el("span", { class: "dot" }), el("span", { class: "text" }, text),
      answers.map(([label, word, kind]) => {
        const button = el("button", { type: "button", class: kind }, label);
        button.addEventListener("click", () => act(button, () => post(`${path}/${word}`)));
        return button;
      }));
    this.box.replaceChildren(
      ...sheets.map((sheet) => bar(
        [el("b", {}, t("sheet")), `${sheet.trade_type === "JSAPI" ? "" : ` (${sheet.trade_type})`} ${yuan(sheet.amount)} · ${sheet.item}`], `sheets/${sheet.id}`, [[t("cancel"), "cancel", "quiet"], [t("pay"), "pay", "go"]])),
      ...consents.map((consent) => bar(
        [el("b", {}, t("consent")), ` ${consent.user.nickname} · ${consent.scope}`], `consents/${consent.id}`, [[t("decline"), "decline", "quiet"], [t("allow"), "approve", "go"]])));
  }
}

// theme switches between light and dark. It starts with the system's choice.
export function theme(button) {
  const root = document.documentElement;
  const set = (value) => { root.style.colorScheme = value; };
  try { if (localStorage.theme) set(localStorage.theme); } catch { /* no storage */ }
  button.replaceChildren(icon("sun"));
  button.addEventListener("click", () => {
    const dark = (root.style.colorScheme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    set(dark ? "light" : "dark");
    try { localStorage.theme = root.style.colorScheme; } catch { /* no storage */ }
  });
}
