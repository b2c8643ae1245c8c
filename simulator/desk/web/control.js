// The control API as this page uses it.

import { t } from "./t.js";

async function call(method, path, body) {
  const answer = await fetch("/control/" + path, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const decoded = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(decoded.error || t("answered", { status: answer.status }));
  return decoded;
}

export const get = (path) => call("GET", path);
export const post = (path, body) => call("POST", path, body);
export const remove = (path) => call("DELETE", path);

// listen opens the event stream. on.message, on.sheet, ... get each event;
// on.open runs when the stream opens, on.lost when it breaks. Each message is
// delivered once and in order, also those from before the stream.
export function listen(on) {
  const source = new EventSource("/control/events");
  let last = 0;
  let early = []; // arrived while the history was being read
  const deliver = (message) => {
    if (message.seq <= last) return;
    last = message.seq;
    on.message(message);
  };
  const read = async () => {
    try {
      const { messages } = await get(`messages?after=${last}`);
      messages.forEach(deliver);
    } finally {
      const held = early ?? [];
      early = null;
      held.forEach(deliver);
    }
  };
  let opened = false;
  source.addEventListener("clock", async (event) => {
    on.clock?.(JSON.parse(event.data));
    if (opened) return;
    opened = true;
    await on.open();
    await read();
  });
  source.addEventListener("message", (event) => {
    const { message } = JSON.parse(event.data);
    if (early) early.push(message);
    else deliver(message);
  });
  for (const kind of ["sheet", "consent", "refund", "user", "environment", "fault", "v3"]) {
    source.addEventListener(kind, (event) => on[kind]?.(JSON.parse(event.data)));
  }
  source.addEventListener("error", () => {
    opened = false;
    early = [];
    on.lost();
  });
}
