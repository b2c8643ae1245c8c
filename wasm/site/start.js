// Loads the program and starts it. The toolchain's wasm_exec.js stands before this
// in the same file; of go-app's own loader, the program needs goappGetenv alone.
"use strict";
{
  const loader = document.getElementById("loader");
  document.getElementById("english").remove(); // go-app takes the first element for the screen
  const { wasm, size, env } = loader.dataset;
  const settings = JSON.parse(env);
  window.goappGetenv = (name) => settings[name] ?? "";

  // How long nothing may arrive before the page offers to try again, in ms. What
  // arrives later is taken all the same.
  const patience = 20_000;

  // show tells what is going on: loading, updating, failed, ended, or running.
  const show = (state) => {
    loader.dataset.state = state;
  };

  // progress shows how much of the program is there. It counts bytes as the
  // program has them, not as they were sent, because that number is known.
  const bar = loader.querySelector("[role=progressbar]");
  const progress = (bytes) => {
    const share = Math.min(bytes / size, 1);
    bar.setAttribute("aria-valuenow", Math.floor(share * 100));
    bar.firstElementChild.style.transform = `scaleX(${share})`;
  };

  // count follows a response to its end.
  const count = async (response) => {
    const reader = response.body.getReader();
    let bytes = 0;
    for (;;) {
      const stalled = setTimeout(show, patience, "failed");
      const { done, value } = await reader.read().finally(() => clearTimeout(stalled));
      if (done) return;
      bytes += value.byteLength;
      progress(bytes);
      if (loader.dataset.state === "failed") show("loading");
    }
  };

  const instantiate = async (response, imports) => {
    // The copy is counted; the response itself, which the browser knows by its
    // address, goes to the compiler, and can come from the cache of compiled code.
    count(response.clone()).catch(() => {}); // the compiler meets the same error
    const type = response.headers.get("Content-Type") ?? "";
    if (WebAssembly.instantiateStreaming && type.startsWith("application/wasm")) {
      return WebAssembly.instantiateStreaming(response, imports);
    }
    return WebAssembly.instantiate(await response.arrayBuffer(), imports);
  };

  const load = async () => {
    const stalled = setTimeout(show, patience, "failed");
    let response = await fetch(wasm).finally(() => clearTimeout(stalled));
    if (response.status === 404) response = await fetch(wasm, { cache: "reload" }); // not what a cache keeps of before
    if (response.status === 404 && !reloaded()) {
      // The shop was updated after this page was fetched.
      show("updating");
      location.reload();
      return;
    }
    if (!response.ok) throw new Error(`${wasm}: status ${response.status}`);
    const go = new Go();
    const { instance } = await instantiate(response, go.importObject);
    const end = go.run(instance);
    show("running");
    setTimeout(() => delete window.early, 5_000); // what was not asked for by now is old
    navigator.serviceWorker?.register("/app-worker.js", { updateViaCache: "none" }).catch((err) => console.warn("no service worker:", err));
    await end;
    show("ended"); // it never ends by itself
  };

  // reloaded tells whether this page comes from a reload, so that none follows
  // another.
  const reloaded = () => {
    const [navigation] = performance.getEntriesByType("navigation");
    return navigation ? navigation.type === "reload" : performance.navigation?.type === 1;
  };

  // The first paint comes before the work; in a page that nobody sees there is none.
  const painted = new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
    setTimeout(resolve, 200);
  });

  painted.then(load).catch((err) => {
    show("failed");
    console.error("loading the program:", err);
  });
}
