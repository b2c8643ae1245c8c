// Runs in the head, behind check.js and compile.js, before there is anything to see: it
// has the program fetched, chooses the language of what is prerendered, and asks the
// signer what the program is going to ask.
"use strict";
{
  const script = document.currentScript;
  const startup = window.startup ?? {}; // pages without the program have no check.js

  // The user's own choice, kept by the program, or else the browser's. The screen
  // is there in Chinese, and in English before it, in a template; around it, texts
  // have their English in data-en.
  let choice = "";
  let tag = "";
  try {
    choice = localStorage.getItem("h5pay.lang") ?? "";
  } catch {} // storage is blocked
  try {
    tag = navigator.language ?? "";
  } catch {} // some clients have a getter that throws
  const english = choice ? choice === "en" : !/^zh\b/i.test(tag || "zh");
  if (english) {
    document.documentElement.lang = "en";
    const translate = () => {
      const screen = document.getElementById("english");
      if (screen?.nextElementSibling && screen.content.firstChild) screen.nextElementSibling.replaceWith(screen.content);
      for (const element of document.querySelectorAll("[data-en]")) {
        if (element.textContent !== element.dataset.en) element.textContent = element.dataset.en;
      }
    };
    // The parser is followed step by step, so the first paint is right; and the
    // program, which comes later, is left alone.
    let parser;
    try {
      parser = new MutationObserver(translate);
      parser.observe(document, { childList: true, subtree: true });
    } catch {} // the first paint is Chinese
    document.addEventListener("DOMContentLoaded", () => {
      translate();
      parser?.disconnect();
    });
  }

  // The program, and answers for it, are sent for when the first paint is done, which
  // would come later if the browser had that to do as well. A page that nobody sees is
  // not painted.
  const painted = new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
    setTimeout(resolve, 1_000);
  });

  // Answers that the program takes over, each once: see prefetch_js.go. It asks anew
  // for what failed.
  for (const path of startup.failed ? [] : (script.dataset.prefetch ?? "").split(" ").filter(Boolean)) {
    const abort = new AbortController();
    const answer = painted.then(() => fetch(path, { signal: abort.signal, cache: "no-store", credentials: "same-origin" }));
    answer.catch(() => {});
    startup[path] = { answer, abort };
  }

  // inWorker is compileProgram in a worker, whose script is text of this one: that
  // saves a trip to the shop before the program is asked for. Nobody ends the worker:
  // the browser may still be compiling what it is going to keep.
  const inWorker = (address, onProgress) =>
    new Promise((resolve, reject) => {
      const work = () => {
        compileProgram(address, (bytes) => postMessage({ bytes }))
          .then((program) => postMessage({ program }))
          .catch((err) => postMessage({ error: String(err) }));
      };
      const text = `const address = ${JSON.stringify(address)}, compileProgram = ${compileProgram}; (${work})();`;
      const worker = new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
      worker.onerror = worker.onmessageerror = () => reject(new Error("no worker"));
      worker.onmessage = ({ data: { bytes, program, error } }) => {
        if (bytes !== undefined) onProgress(bytes);
        else if (program) resolve(program);
        else reject(new Error(error));
      };
    });

  const { wasm } = script.dataset;
  if (wasm && !startup.failed) {
    const address = new URL(wasm, location.href).href; // such a worker has no address to start from
    const program = (startup.program = { address, bytes: 0, onProgress: () => {} }); // start.js wants to be told
    const onProgress = (bytes) => program.onProgress((program.bytes = bytes));
    program.compiled = painted.then(() => inWorker(address, onProgress));
    program.compiled.catch(() => {}); // start.js does without
  }
  startup.ready = true;
}
