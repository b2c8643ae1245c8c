// The service worker answers the opening of a page with the copy that it keeps, and fetches the
// page behind it. So a later visit shows the shop without a network. A copy may be old. Its program
// gets prices and orders from the signer, and a page that the signer no longer serves loads itself
// again, see start.js. A reload, a page without a copy and a cache that does not work use the
// network. Without a network the worker shows the offline page. The browser's own cache keeps
// everything under /assets/.
"use strict";
const offline = "/offline";
const cacheName = "h5pay-{{.Version}}";
const patience = 500; // ms to wait for the cache

// screens are the pages to keep. Each is the same at every query, and below an address that ends with
// a slash.
const screens = ["/", "/amount", "/pay", "/result", "/orders", "/order"];
const tokens = { "/o/": "/o", "/l/": "/l" };

// screenOf returns the page that is shown at an address, undefined for one that is not kept.
const screenOf = ({ pathname }) => (screens.includes(pathname) ? pathname : tokens[pathname.slice(0, 3)]);

// keep stores a page. A response of something else, such as a challenge of a firewall, has no version
// of the page, or another one than its own text. A page with a sign-in is for one load. The text is
// marked, so that its first script knows. The layout requests its pictures. Otherwise the parser would, and
// the browser, which has them in its cache, would decode them before the paint.
const keep = async (screen, response) => {
  const version = response.headers.get("H5pay-Page");
  if (response.status !== 200 || response.redirected || response.type !== "basic" || !version) return;
  if (/no-store/.test(response.headers.get("Cache-Control"))) return;
  const text = await response.text();
  if (!text.includes(`data-version="${version}"`)) return;
  const headers = new Headers(response.headers);
  headers.delete("Content-Encoding");
  headers.delete("Content-Length");
  headers.delete("Link"); // the program of a copy is requested after the paint
  const copy = text.replace("<html ", "<html data-kept ").replaceAll("<img ", '<img loading="lazy" ');
  const cache = await caches.open(cacheName);
  await cache.put(screen, new Response(copy, { headers }));
};

// renew fetches a page and keeps it.
const renew = async (screen) => keep(screen, await fetch(screen, { cache: "no-cache" }));

// kept returns the copy of a page, undefined if there is none in time.
const kept = (screen) =>
  Promise.race([
    caches.open(cacheName).then((cache) => cache.match(screen)),
    new Promise((resolve) => setTimeout(resolve, patience)),
  ]).catch(() => undefined);

self.addEventListener("install", (event) => {
  // Where the browser supports routes, only page loads pass through this worker.
  event
    .addRoutes?.([
      { condition: { requestMode: "navigate" }, source: "fetch-event" },
      { condition: { urlPattern: new URLPattern({}) }, source: "network" },
    ])
    ?.catch(() => {});
  const fill = async () => {
    const cache = await caches.open(cacheName);
    await Promise.all([cache.add(offline), renew("/").catch(() => {})]);
    await self.skipWaiting();
  };
  event.waitUntil(fill());
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
  const { request } = event;
  if (request.mode !== "navigate") return;
  const screen = request.method === "GET" ? screenOf(new URL(request.url)) : undefined;
  const answer = async () => {
    if (screen && !["reload", "no-cache", "no-store"].includes(request.cache)) {
      const copy = await kept(screen);
      if (copy) {
        event.waitUntil(renew(screen).catch(() => {})); // without a network the copy stays
        return copy;
      }
    }
    try {
      const response = await fetch(request);
      if (screen) event.waitUntil(keep(screen, response.clone()).catch(() => {}));
      return response;
    } catch {
      return (await caches.match(offline)) ?? Response.error();
    }
  };
  event.respondWith(answer());
});
