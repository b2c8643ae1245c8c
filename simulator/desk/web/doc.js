// The parts of the panels that are documents: sections, tables, code.

import { copyButton, el } from "./dom.js";

// words shows `quoted` parts of a text as code.
export const words = (text) => text.split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));

export const section = (title, text, ...content) => el("section", {}, el("h2", {}, title), el("p", {}, words(text)), content.flat());

// show fills a panel, which keeps its scroll position.
export function show(panel, ...content) {
  const top = panel.firstElementChild?.scrollTop ?? 0;
  const scroll = el("div", { class: "scroll doc" }, content.flat());
  panel.replaceChildren(scroll);
  scroll.scrollTop = top;
}

// code shows text to copy. id is optional.
export const code = (text, id) => el("div", { class: "code" }, el("pre", { id }, text), copyButton(text));

// table omits rows that are false.
export const table = (head, rows) => el("table", {},
  el("thead", {}, el("tr", {}, head.map((h) => el("th", {}, h)))),
  el("tbody", {}, rows.filter(Boolean).map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell))))));

export const value = (text) => el("span", { class: "value" }, el("code", {}, text), copyButton(text));
