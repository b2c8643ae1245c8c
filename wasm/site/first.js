// Runs in the head, behind compile.js, before there is anything to see: it has the
// program fetched, chooses the language of what is prerendered, and asks the signer
// what the program is going to ask.
"use strict";
{
  const script = document.currentScript;

  // The user's own choice, kept by the program, or else the browser's. The screen
  // is there in Chinese, and in English before it, in a template; around it, texts
  // have their English in data-en.
  let choice = "";
  try {
    choice = localStorage.getItem("h5pay.lang") ?? "";
  } catch {} // storage is blocked
  const english = choice ? choice === "en" : !/^zh\b/i.test(navigator.language || "zh");
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
    const parser = new MutationObserver(translate);
    parser.observe(document, { childList: true, subtree: true });
    document.addEventListener("DOMContentLoaded", () => {
      translate();
      parser.disconnect();
    });
  }

  // Answers that the program takes over, each once: see early_js.go. It asks anew
  // for what failed.
  window.early = {};
  for (const path of (script.dataset.early ?? "").split(" ").filter(Boolean)) {
    const abort = new AbortController();
    const answer = fetch(path, { signal: abort.signal, cache: "no-store", credentials: "same-origin" });
    answer.catch(() => {});
    window.early[path] = { answer, abort };
  }

  // The program comes and is compiled in a worker from now on. What the worker has
  // to tell waits in the port until start.js is there to listen. Its script is text of
  // this one, which saves a trip to the shop before the program is asked for.
  const { wasm } = script.dataset;
  if (wasm) {
    const address = new URL(wasm, location.href).href; // a worker of this kind has no place of its own
    const program = (window.early.program = { address });
    const serve = ({ data: address, ports: [page] }) => {
      compileProgram(address, (bytes) => page.postMessage({ bytes }))
        .then((program) => page.postMessage({ program }))
        .catch((err) => page.postMessage({ error: String(err) }));
    };
    try {
      const text = `const compileProgram = ${compileProgram}; onmessage = ${serve};`;
      const worker = new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
      const { port1, port2 } = new MessageChannel();
      worker.postMessage(address, [port2]);
      program.told = port1;
      program.broken = new Promise((_, reject) => {
        worker.onerror = () => reject(new Error("no worker"));
      });
      program.broken.catch(() => {});
    } catch {} // no workers: start.js compiles it
  }
}
