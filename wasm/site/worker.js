// The service worker shows a page of the shop's own when there is no network, and
// does nothing else. Pages and the signer's answers always come from the network,
// so none is ever out of date; everything under /assets/ is kept by the browser's
// own cache, under an address that changes when the file does.
"use strict";
const files = {{.Files}};
const [offline] = files;
const cacheName = "h5pay-{{.Version}}";

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(cacheName)
      .then((cache) => cache.addAll(files))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  const drop = async () => {
    for (const name of await caches.keys()) {
      if (name !== cacheName) await caches.delete(name);
    }
    // The network is asked while this worker starts.
    await self.registration.navigationPreload?.enable();
    await self.clients.claim();
  };
  event.waitUntil(drop());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") {
    event.respondWith(navigate(event).catch(() => kept(offline)));
  } else if (files.includes(new URL(request.url).pathname)) {
    event.respondWith(fetch(request).catch(() => kept(request)));
  }
});

async function navigate(event) {
  return (await event.preloadResponse) ?? fetch(event.request);
}

async function kept(request) {
  const cache = await caches.open(cacheName);
  return (await cache.match(request)) ?? Response.error();
}
