// The signer's Worker with an adjustable clock. The campaign sends the time with every event, and
// Go reads it with `new Date`. Date.now stays the real time; the pool measures durations with it.
import worker from "./worker.mjs";

let lead = 0; // ms that the campaign's time is ahead
const Real = Date;
globalThis.Date = class extends Real {
  constructor(...args) {
    if (args.length) super(...args);
    else super(Real.now() + lead);
  }
};

export default {
  ...worker,
  fetch(request, env, context) {
    const headers = new Headers(request.headers);
    lead = Number(headers.get("campaign-time")) - Real.now();
    headers.delete("campaign-time");
    return worker.fetch(new Request(request, { headers }), env, context);
  },
  scheduled(event, env, context) {
    lead = event.scheduledTime - Real.now();
    return worker.scheduled(event, env, context);
  },
};
