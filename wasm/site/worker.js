// The service worker shows a page of the shop's own when there is no network, and
// does nothing else. Pages and the signer's answers always come from the network,
// so none is ever out of date; everything under /assets/ is kept by the browser's
// own cache, under an address that changes when the file does.
"use strict";
const offline = "/offline";
const cacheName = "h5pay-{{.Version}}";

self.addEventListener("install", (event) => {
  // Where the browser knows how, nothing but the opening of a page passes this
  // worker, and no page waits for it to start: the network's answer counts,
  // unless there is none.
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
