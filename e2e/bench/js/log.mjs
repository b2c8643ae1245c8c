// One JSON object a line, with the names of the Go signer's log.

// logger returns a log whose lines all hold these attributes.
export function logger(attributes) {
  const at = (level) => (msg, more) =>
    console.log(JSON.stringify({ time: new Date(), level, msg, ...attributes, ...more }));
  return {
    info: at("INFO"),
    warn: at("WARN"),
    error: at("ERROR"),
    with: (more) => logger({ ...attributes, ...more }),
  };
}

// logChange leaves the line about a change of an order that is still as it was before.
export function logChange(log, { id: order, out_trade_no, status: from }, to, source, more) {
  const late = to === "paid" && ["closing", "closed", "failed"].includes(from);
  const line = { order, out_trade_no, from, to, source, ...more };
  if (late) log.warn("order paid late", line);
  else log.info(`order ${to}`, line);
}

// mask shortens an openid for people and logs: "oUpF…Mg3I".
export const mask = (openid) => (openid.length < 12 ? "…" : `${openid.slice(0, 4)}…${openid.slice(-4)}`);
