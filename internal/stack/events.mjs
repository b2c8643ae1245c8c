// Makes events for the Worker bound to WORKER, as Cloudflare's scheduler and
// queues do.
export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/scheduled") {
      const due = Number(searchParams.get("due") ?? Date.now());
      return Response.json(await env.WORKER.scheduled({ cron: searchParams.get("cron"), scheduledTime: new Date(due) }));
    }
    const messages = (await request.json()).map((message) => ({ timestamp: new Date(), ...message }));
    return Response.json(await env.WORKER.queue(searchParams.get("name"), messages));
  },
};
