// Waits for the program and starts it. The toolchain's wasm_exec.js precedes this in the same file.
// Of go-app's own loader, the program needs only goappGetenv.
"use strict";
{
  const { startup } = window;
  startup.started = true;
  const loader = document.getElementById("loader");
  document.getElementById("english")?.remove(); // go-app takes the first element for the screen
  const { size, env } = loader.dataset;
  const { program } = startup;
  const settings = JSON.parse(env);
  window.goappGetenv = (name) => settings[name] ?? "";

  // updatePage loads the page again if the signer serves another version of it, once per version. It
  // reports whether it does so. The program calls it with the version that a response names.
  window.updatePage = (served) => {
    if (!served || served === document.documentElement.dataset.version || triedBefore(served)) return false;
    show("updating");
    startup.reload();
    return true;
  };
  const triedBefore = (served) => {
    const key = "h5pay.update";
    try {
      if (sessionStorage.getItem(key) === served) return true;
      sessionStorage.setItem(key, served);
      return false;
    } catch {
      return reloaded(); // storage is blocked
    }
  };

  // stallTimeout is the time in ms without new bytes after which the page offers a retry. Loading
  // continues.
  const stallTimeout = 20_000;

  // show sets the state of the page: loading, updating, ended or running. startup.fail handles a
  // program that cannot start, see check.js.
  const show = (state) => {
    loader.dataset.state = state;
  };
  const reportStall = () => startup.fail("network");

  // progress shows the share of the program that has arrived. It counts uncompressed bytes, because
  // only their total is known.
  const bar = loader.querySelector("[role=progressbar]");
  const progress = (bytes) => {
    const share = Math.min(bytes / size, 1);
    bar.setAttribute("aria-valuenow", Math.floor(share * 100));
    bar.firstElementChild.style.transform = `scaleX(${share})`;
  };

  // compile resolves to the module of the program, or to the status of a failed response. It
  // reports a stall.
  const compile = async () => {
    let stalled = setTimeout(reportStall, stallTimeout);
    program.onProgress = (bytes) => {
      clearTimeout(stalled);
      stalled = setTimeout(reportStall, stallTimeout);
      if (loader.dataset.state === "failed") show("loading");
      progress(bytes);
    };
    if (program.bytes > 0) program.onProgress(program.bytes); // received before this script ran
    try {
      return await program.compiled;
    } catch {
      // This error has more detail than the worker's.
      return await compileProgram(program.address, program.received);
    } finally {
      program.onProgress = () => {}; // the worker may report progress after the end
      clearTimeout(stalled);
    }
  };

  // reasonOf returns why the program did not arrive or compile, as a reason for startup.fail.
  const reasonOf = (err) => {
    if (err.why) return err.why;
    if (err instanceof RangeError || /memory/i.test(err.message)) return "memory";
    if (err instanceof WebAssembly.CompileError) return program.bytes === Number(size) ? "old" : "altered";
    return new Promise((resolve) => startup.probe(program.address, (why) => resolve(why || "network")));
  };

  // The runtime writes the reason of its end to standard error. Nothing else reports exhausted
  // memory.
  let last = ""; // the end of its output
  let exhausted = false;
  const { writeSync } = fs;
  fs.writeSync = (fd, bytes) => {
    last = last.slice(-20) + new TextDecoder().decode(bytes);
    if (/out of memory/.test(last)) exhausted = true;
    return writeSync(fd, bytes);
  };

  // letChoose lets the shopper choose products before the program has drawn the page, and shows the quantities that
  // it will show: those of the stored basket with the taps, up to the stock or api.MaxQuantity. It stores each tap for
  // takeEarlyTaps in wasm/shop_page.go, which takes the stored ones in an earlier task than that of the drawing. A
  // copy that the service worker kept may have old prices, so its buttons stay off.
  const letChoose = () => {
    const rows = document.querySelector(".cards");
    const data = document.getElementById("data");
    if (!rows || !data || "kept" in document.documentElement.dataset) return;
    const most = {}; // by product
    for (const { id, left } of JSON.parse(data.textContent).products) most[id] = left ?? 99;
    const basket = JSON.parse(sessionStorage.getItem("h5pay.basket") ?? "{}");
    const key = "h5pay.taps";
    const stored = () => sessionStorage.getItem(key)?.split(" ") ?? [];
    const taps = stored(); // and those since, also what the program has taken meanwhile
    const productOf = (add) => add.closest("[data-product]").dataset.product;
    const show = (add) => {
      const id = productOf(add);
      const quantity = Math.min((basket[id] ?? 0) + taps.filter((tapped) => tapped === id).length, most[id]);
      add.disabled = quantity === most[id];
      if (quantity === 0) return;
      const count = add.nextElementSibling ?? document.createElement("output");
      count.textContent = quantity;
      if (!count.isConnected) add.after(count);
      document.querySelector(".hint").hidden = true; // it says that nothing is chosen
    };
    rows.addEventListener("click", ({ target }) => {
      const add = target.closest('[data-action="add"]');
      if (!add) return;
      const id = productOf(add);
      sessionStorage.setItem(key, [...stored(), id].join(" "));
      taps.push(id);
      show(add);
    });
    rows.querySelectorAll('[data-action="add"]').forEach(show);
  };

  // register installs the service worker. The shop works without one.
  const register = async () => {
    await navigator.serviceWorker?.register("/app-worker.js", { updateViaCache: "none" });
  };

  const load = async () => {
    let module;
    try {
      module = await compile();
    } catch (err) {
      startup.fail(await reasonOf(err));
      throw err;
    }
    if (module === 404 && !reloaded()) {
      // The shop was deployed again after this page was fetched.
      show("updating");
      startup.reload();
      return;
    }
    if (typeof module === "number") {
      startup.fail("server");
      throw new Error(`${program.address}: status ${module}`);
    }
    // The program draws in a later task than that of its start. It replaces the prerendered screen.
    const drawn = new Promise((resolve) => {
      try {
        const observer = new MutationObserver(() => {
          observer.disconnect();
          resolve();
        });
        observer.observe(document.body, { childList: true });
      } catch {
        resolve(); // some clients have no observer
      }
    });
    const go = new Go();
    // After a fatal error of the runtime the promise of run stays pending.
    const exit = new Promise((resolve) => (go.exit = resolve));
    const end = go.run(await WebAssembly.instantiate(module, go.importObject));
    await Promise.race([drawn, exit, end]);
    show("running");
    setTimeout(() => delete window.startup, 5_000); // a prefetched response is out of date by now
    register().catch((err) => console.warn("no service worker:", err));
    await Promise.race([exit, end]);
    if (exhausted) startup.fail("memory");
    else show("ended"); // the program does not end by itself
  };

  // reloaded reports whether this page load is a reload, so that the page reloads only once. If the
  // browser does not say, it returns true.
  const reloaded = () => {
    try {
      const [navigation] = performance.getEntriesByType("navigation");
      return navigation ? navigation.type === "reload" : performance.navigation?.type === 1;
    } catch {
      return true;
    }
  };

  if (startup.failed === "network") show("loading"); // this script was late
  if (program) {
    try {
      letChoose();
    } catch {} // storage is blocked or holds something else: the buttons wait for the program
    load().catch((err) => {
      if (loader.dataset.state !== "failed") startup.fail(/memory/i.test(err.message) ? "memory" : "broken");
      console.error("loading the program:", err);
    });
  }
}
