// The service worker shows the shop's offline page when there is no network, and does nothing else.
// Pages and the signer's responses always come from the network, so they are never out of date. The
// browser's own cache keeps everything under /assets/; a changed file has another address.
"use strict";
const offline = "/offline";
const cacheName = "h5pay-{{.Version}}";

self.addEventListener("install", (event) => {
  // Where the browser supports routes, only page loads pass through this worker, and no page waits
  // for the worker to start. The network's response wins; the worker responds only without one.
  event
    .addRoutes?.([
      { condition: { requestMode: "navigate" }, source: "race-network-and-fetch-handler" },
      { condition: { urlPattern: new URLPattern({}) }, source: "network" },
    ])
    ?.catch(() => {});
  const keep = async () => {
    const cache = await caches.open(cacheName);
    await cache.add(offline);
    await self.skipWaiting();
  };
  event.waitUntil(keep());
});

self.addEventListener("activate", (event) => {
  const drop = async () => {
    for (const name of await caches.keys()) {
      if (name !== cacheName) await caches.delete(name);
    }
    await self.clients.claim();
  };
  event.waitUntil(drop());
});

self.addEventListener("fetch", (event) => {
  if (event.request.mode !== "navigate") return;
  event.respondWith(fetch(event.request).catch(async () => (await caches.match(offline)) ?? Response.error()));
});
