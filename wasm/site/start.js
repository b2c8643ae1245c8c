// Waits for the program and starts it. The toolchain's wasm_exec.js stands before this
// in the same file; of go-app's own loader, the program needs goappGetenv alone.
"use strict";
{
  const loader = document.getElementById("loader");
  document.getElementById("english").remove(); // go-app takes the first element for the screen
  const { size, env } = loader.dataset;
  const { program } = window.early;
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

  // compile resolves to the module of the program, or to the status of an answer
  // that is none. It says so when nothing has arrived for a while.
  const compile = async () => {
    let stalled = setTimeout(show, patience, "failed");
    program.tell = (bytes) => {
      clearTimeout(stalled);
      stalled = setTimeout(show, patience, "failed");
      if (loader.dataset.state === "failed") show("loading");
      progress(bytes);
    };
    if (program.bytes > 0) program.tell(program.bytes); // what came before this script
    try {
      return await program.compiled;
    } catch {
      return await compileProgram(program.address, (bytes) => program.tell(bytes)); // whose error is worth telling
    } finally {
      program.tell = () => {}; // the last of it may be told after the end
      clearTimeout(stalled);
    }
  };

  const load = async () => {
    const module = await compile();
    if (module === 404 && !reloaded()) {
      // The shop was updated after this page was fetched.
      show("updating");
      location.reload();
      return;
    }
    if (typeof module === "number") throw new Error(`${program.address}: status ${module}`);
    const go = new Go();
    const end = go.run(await WebAssembly.instantiate(module, go.importObject));
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

  load().catch((err) => {
    show("failed");
    console.error("loading the program:", err);
  });
}
