// The message log: a sequence diagram with one exchange in each row.

import { el, icon, clockTime, milliseconds } from "./dom.js";
import { details } from "./inspector.js";
import { haystack, second, short, verdict } from "./verdict.js";
import { t } from "./t.js";

const limit = 1500; // rows; the simulator itself keeps 2000 messages

// The lanes of the diagram. The page and the client it runs in are one phone.
const lanes = { page: 0, phone: 0, shop: 1, wechat: 2 };
const laneX = [16, 66, 116], laneWidth = 132, rowHeight = 34;

export class Log {
  constructor(panel, tools, apiKey) {
    this.apiKey = apiKey;
    this.rows = [];
    this.sheets = new Map(); // id -> state
    this.list = el("ol", { class: "rows" });
    this.empty = el("div", { class: "empty" },
      diagram(),
      el("h2", {}, t("log.empty")),
      el("p", {}, t("log.hint")));
    this.head = el("div", { class: "lanes", "aria-hidden": "true" },
      el("span", {}), el("span", { class: "names" }, el("b", {}, t("lane.phone")), el("b", {}, t("lane.shop")), el("b", {}, t("lane.wechat"))), el("span", {}, t("lane.message")));
    this.scroll = el("div", { class: "scroll" }, this.head, this.list, this.empty);
    panel.append(this.scroll);
    this.count = document.getElementById("count");

    this.search = el("input", { type: "search", placeholder: t("filter"), "aria-label": t("filter.label"), input: () => this.filter() });
    this.problems = el("button", { type: "button", class: "toggle", "aria-pressed": "false" }, t("problems"));
    this.problems.addEventListener("click", () => {
      this.problems.setAttribute("aria-pressed", String(!this.onlyProblems()));
      this.filter();
    });
    tools.append(this.search, this.problems, el("button", { type: "button", class: "plain", click: () => this.clear() }, t("clear")));
    this.refresh();
  }

  onlyProblems() { return this.problems.getAttribute("aria-pressed") === "true"; }

  add(message) {
    const follow = this.scroll.scrollHeight - this.scroll.scrollTop - this.scroll.clientHeight < 60;
    const row = new Row(message, this);
    this.rows.push(row);
    this.list.append(row.node);
    if (this.rows.length > limit) this.rows.shift().node.remove();
    row.node.hidden = !this.matches(row);
    this.refresh();
    if (follow) this.scroll.scrollTop = this.scroll.scrollHeight;
  }

  // setSheet updates the row of the call that opened a sheet.
  setSheet(sheet) {
    this.sheets.set(sheet.id, sheet);
    this.rows.find((row) => row.sheet === sheet.id)?.judge();
  }

  // setAttempt sets the attempt number of a message.
  setAttempt(seq, attempt, outTradeNo) {
    const row = this.rows.find((r) => r.message.seq === seq);
    if (!row || row.message.attempt === attempt) return;
    row.message.attempt = attempt;
    row.message.out_trade_no = outTradeNo;
    row.judge();
  }

  matches(row) {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (this.onlyProblems() && !["bad", "fault"].includes(row.verdict.kind)) return false;
    return words.every((word) => row.text.includes(word));
  }

  filter() {
    for (const row of this.rows) row.node.hidden = !this.matches(row);
    this.refresh();
  }

  clear() {
    this.rows = [];
    this.list.replaceChildren();
    this.refresh();
  }

  refresh() {
    this.count.textContent = this.rows.length || "";
    const bad = this.rows.filter((row) => row.verdict.kind === "bad" || row.verdict.kind === "fault").length;
    this.problems.textContent = bad ? `${t("problems")} ${bad}` : t("problems");
    this.empty.hidden = this.rows.length > 0;
    this.head.hidden = this.rows.length === 0;
  }
}

class Row {
  constructor(message, log) {
    this.message = message;
    this.log = log;
    if (message.method === "INVOKE") {
      try { this.sheet = JSON.parse(message.response).id; } catch { /* declined */ }
    }
    const at = new Date(message.time);
    this.name = el("b", {});
    this.chip = el("span", {});
    this.about = el("span", { class: "about" });
    this.arrow = el("span", { class: "arrow" });
    this.detail = el("div", { class: "detail", hidden: true });
    this.line = el("button", { type: "button", class: "line", "aria-expanded": "false", click: () => this.toggle() },
      el("time", {}, clockTime(at), el("i", {}, milliseconds(at))),
      this.arrow,
      el("span", { class: "what" }, this.name, this.about),
      this.chip,
      icon("chevron"));
    this.node = el("li", { class: "row", "data-seq": message.seq }, this.line, this.detail);
    this.text = haystack(message);
    this.judge();
  }

  // judge sets the verdict. It runs again when the sheet of this call is answered.
  judge() {
    const m = this.message;
    this.verdict = verdict(m);
    if (this.sheet && this.verdict.kind === "ok") {
      const { state, err_msg: told = "" } = this.log.sheets.get(this.sheet) ?? { state: "open" };
      this.verdict = {
        open: { kind: "waiting", text: t("verdict.open") },
        paid: told.endsWith(":ok") ? { kind: "ok", text: t("verdict.paid") } : { kind: "fault", text: t("verdict.told_cancel") },
        cancelled: { kind: "neutral", text: t("verdict.cancelled") },
        failed: { kind: "bad", text: t("verdict.failed") },
      }[state] ?? this.verdict;
    }
    const v = this.verdict;
    this.name.textContent = short(m);
    this.node.dataset.verdict = v.kind;
    this.chip.className = `chip ${v.kind}`;
    this.chip.textContent = v.text;
    this.about.textContent = second(m, v);
    this.about.title = this.about.textContent;
    this.arrow.replaceChildren(arrow(m.from, m.to));
  }

  toggle() {
    const open = this.line.getAttribute("aria-expanded") !== "true";
    this.line.setAttribute("aria-expanded", String(open));
    this.detail.hidden = !open;
    if (open && !this.detail.hasChildNodes()) this.detail.append(...details(this.message, this.verdict, this.log.apiKey));
    if (open) this.node.scrollIntoView({ block: "nearest" });
  }
}

// arrow draws one row of the sequence diagram.
function arrow(from, to) {
  const a = laneX[lanes[from] ?? 0], b = laneX[lanes[to] ?? 0], y = rowHeight / 2;
  const lines = laneX.map((x) => `M${x} 0V${rowHeight}`).join("");
  const way = a === b
    ? `M${a} ${y - 5}h14a5 5 0 0 1 0 10h-9`
    : `M${a} ${y}H${b - Math.sign(b - a) * 3}`;
  const tip = a === b ? [a + 3, y + 5, -1] : [b, y, Math.sign(b - a)];
  return draw(laneWidth, rowHeight, [
    ["lane", lines],
    ["way", way],
    ["tip", `M${tip[0]} ${tip[1]}l${-7 * tip[2]} -3.5v7z`],
    ["start", a === b ? "" : `M${a - 2.5} ${y}a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0`],
  ]);
}

// diagram is the picture of the empty log.
function diagram() {
  const step = (a, b, y) => {
    const way = Math.sign(b - a);
    return `M${a + way * 8} ${y}H${b - way * 8}m${-5 * way} -4l${5 * way} 4l${-5 * way} 4`;
  };
  return draw(240, 130, [
    ["lane", "M40 14V126M120 14V126M200 14V126"],
    ["start", [40, 120, 200].map((x) => `M${x - 5} 8a5 5 0 1 0 10 0a5 5 0 1 0 -10 0`).join("")],
    ["way", step(40, 120, 38) + step(120, 200, 58) + step(200, 120, 90) + step(120, 40, 110)],
  ]);
}

function draw(width, height, paths) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  svg.setAttribute("aria-hidden", "true");
  for (const [kind, d] of paths) {
    const path = document.createElementNS(space, "path");
    path.setAttribute("class", kind);
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}
