// The signer's entry with access to its pool: GET /pool?<limit>=<n>&... sets limits and returns the
// state.
import { limits, pool } from "./pool.mjs";
import worker from "./worker.mjs";

export default {
  ...worker,
  fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== "/pool") return worker.fetch(request);
    for (const [name, value] of searchParams) limits[name] = Number(value);
    const { count, memory, started, discarded, references, warmedUp } = pool;
    return Response.json({ count, memory, started, discarded, references, warmedUp });
  },
};
