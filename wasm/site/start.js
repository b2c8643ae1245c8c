// Waits for the program and starts it. The toolchain's wasm_exec.js stands before this
// in the same file; of go-app's own loader, the program needs goappGetenv alone.
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

  // How long nothing may arrive before the page offers to try again, in ms. What
  // arrives later is taken all the same.
  const stallTimeout = 20_000;

  // show tells what is going on: loading, updating, ended, or running. That the
  // program cannot start is for startup.fail to tell, see check.js.
  const show = (state) => {
    loader.dataset.state = state;
  };
  const reportStall = () => startup.fail("network");

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
    let stalled = setTimeout(reportStall, stallTimeout);
    program.onProgress = (bytes) => {
      clearTimeout(stalled);
      stalled = setTimeout(reportStall, stallTimeout);
      if (loader.dataset.state === "failed") show("loading");
      progress(bytes);
    };
    if (program.bytes > 0) program.onProgress(program.bytes); // what came before this script
    try {
      return await program.compiled;
    } catch {
      // Its error tells more than the worker's.
      return await compileProgram(program.address, (bytes) => program.onProgress((program.bytes = bytes)));
    } finally {
      program.onProgress = () => {}; // the last of it may be told after the end
      clearTimeout(stalled);
    }
  };

  // reasonOf returns why the program did not arrive or compile, as startup.fail wants it.
  const reasonOf = (err) => {
    if (err.why) return err.why;
    if (err instanceof RangeError || /memory/i.test(err.message)) return "memory";
    if (err instanceof WebAssembly.CompileError) return program.bytes === Number(size) ? "old" : "altered";
    return new Promise((resolve) => startup.probe(program.address, (why) => resolve(why || "network")));
  };

  // The runtime writes why it ends to standard error. Nothing else tells that the
  // memory is used up.
  let last = ""; // of what it wrote
  let exhausted = false;
  const { writeSync } = fs;
  fs.writeSync = (fd, bytes) => {
    last = last.slice(-20) + new TextDecoder().decode(bytes);
    if (/out of memory/.test(last)) exhausted = true;
    return writeSync(fd, bytes);
  };

  // register installs the service worker. The shop does without one.
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
      // The shop was updated after this page was fetched.
      show("updating");
      startup.reload();
      return;
    }
    if (typeof module === "number") {
      startup.fail("server");
      throw new Error(`${program.address}: status ${module}`);
    }
    const go = new Go();
    // After a fatal error of the runtime the promise of run stays open.
    const exit = new Promise((resolve) => (go.exit = resolve));
    const end = go.run(await WebAssembly.instantiate(module, go.importObject));
    show("running");
    setTimeout(() => delete window.startup, 5_000); // what was not asked for by now is old
    register().catch((err) => console.warn("no service worker:", err));
    await Promise.race([exit, end]);
    if (exhausted) startup.fail("memory");
    else show("ended"); // it never ends by itself
  };

  // reloaded tells whether this page comes from a reload, so that none follows
  // another. A page that cannot tell is not reloaded.
  const reloaded = () => {
    try {
      const [navigation] = performance.getEntriesByType("navigation");
      return navigation ? navigation.type === "reload" : performance.navigation?.type === 1;
    } catch {
      return true;
    }
  };

  if (startup.failed === "network") show("loading"); // this script is late
  if (program) {
    load().catch((err) => {
      if (loader.dataset.state !== "failed") startup.fail(/memory/i.test(err.message) ? "memory" : "broken");
      console.error("loading the program:", err);
    });
  }
}
