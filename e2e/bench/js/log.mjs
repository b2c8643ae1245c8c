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

// mask shortens an openid for people and logs: "oUpF…Mg3I".
export const mask = (openid) => (openid.length < 12 ? "…" : `${openid.slice(0, 4)}…${openid.slice(-4)}`);
