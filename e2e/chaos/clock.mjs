// The signer's Worker on a clock that can be moved. The campaign says with every
// event what time it is; Go asks for the time by `new Date`. Date.now, by which
// the pool takes how long its programs are at work, stays as it is.
import worker from "./worker.mjs";

let lead = 0; // ms that the campaign is ahead
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
