// The texts of the page, in the language that the server chose by the browser's
// Accept-Language. They are in strings.json.

import { lang, strings } from "./strings.js";

export { lang };

// t returns a text, with {name} replaced by values.name.
export function t(key, values = {}) {
  return (strings[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// nodes is t for elements: the pieces of a text with nodes in the places of {name}.
export function nodes(key, values) {
  return (strings[key] ?? key).split(/\{(\w+)\}/).map((piece, i) => (i % 2 ? values[piece] ?? "" : piece));
}

// said returns the text of a fault, a place or a call, which the simulator describes
// in English.
export const said = (key, english) => strings[key] ?? english;
