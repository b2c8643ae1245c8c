// Sends events to the Worker bound to WORKER, as Cloudflare's scheduler and queues do. It is also
// the queue to which that Worker sends messages.
export default {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/scheduled") {
      const due = Number(searchParams.get("due") ?? Date.now());
      return Response.json(await env.WORKER.scheduled({ cron: searchParams.get("cron"), scheduledTime: new Date(due) }));
    }
    if (pathname === "/message") {
      // From the Worker: deliver the message in a batch of its own.
      const message = { id: crypto.randomUUID(), timestamp: new Date(), attempts: 1, body: await request.json() };
      ctx.waitUntil(env.WORKER.queue("queue", [message]));
      return Response.json({ metadata: { metrics: { backlogCount: 0, backlogBytes: 0, oldestMessageTimestamp: 0 } } });
    }
    const messages = (await request.json()).map((message) => ({ timestamp: new Date(), ...message }));
    return Response.json(await env.WORKER.queue(searchParams.get("name"), messages));
  },
};
