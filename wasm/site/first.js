// Runs in the head, after check.js and compile.js, before the first paint. It compiles the program,
// selects the language of the prerendered texts, and makes the first calls to the signer.
"use strict";
{
  const script = document.currentScript;
  const startup = window.startup ?? {}; // pages without the program have no check.js

  // The user's own choice, stored by the program, else the browser's language. The prerendered
  // screen is Chinese; a template before it holds the English one. Texts around the screen have
  // their English in data-en.
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
    // Follow the parser, so that the first paint is in the right language. Stop when parsing ends,
    // before the program starts.
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

  const idle = startup.failed || startup.leaving; // the page needs nothing more
  // Calls start after the first paint, which they would delay. A page in the background is not
  // painted, so there is a timeout.
  const painted = new Promise((resolve) => {
    setTimeout(resolve, 1_000);
    try {
      requestAnimationFrame(() => setTimeout(resolve));
    } catch {} // some clients have a function that throws
  });

  // The program takes each of these responses once: see prefetch_js.go. It repeats calls that
  // failed, or that differ. A call about an order is a POST with the trade types of the place. It is not
  // made when WeChat has just redirected back, because there is no session yet, nor in WeCom and mini
  // programs, where no order can be paid. place.go has the same rules.
  const agent = navigator.userAgent.toLowerCase();
  const phone = /mobile|android|iphone|ipad|ipod|harmony/.test(agent) && !agent.includes("(pc;");
  const desktopWeChat = /windowswechat|macwechat|unifiedpc/.test(agent) || (!phone && /\((windows nt|macintosh|x11|pc;)/.test(agent));
  const inWeChat = desktopWeChat ? ["NATIVE", "JSAPI"] : ["JSAPI", "NATIVE"];
  const inBrowser = phone ? ["MWEB", "NATIVE"] : ["NATIVE"];
  const pay = JSON.stringify({ trade_types: agent.includes("micromessenger/") ? inWeChat : inBrowser });
  // A page from the network has the data that the calls would return. A copy that the service
  // worker kept may be old: see worker.js. It makes its calls at once, because nothing else is loading.
  const data = document.getElementById("data");
  const copied = "kept" in document.documentElement.dataset;
  const known = data && !copied;
  const noSignIn = /wxwork\/|miniprogram|wmpf/.test(agent); // nor orders that can be paid
  const begin = (path, body) => {
    const abort = new AbortController();
    const init = { signal: abort.signal, cache: "no-store", credentials: "same-origin" };
    if (body) Object.assign(init, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const response = (copied ? Promise.resolve() : painted).then(() => fetch(path, init));
    response.catch(() => {});
    startup[path] = { response, abort, body };
  };
  for (const template of idle || known ? [] : (script.dataset.prefetch ?? "").split(" ").filter(Boolean)) {
    if (template.includes("/ORDER/")) {
      const id = /^\?order=([\w-]{1,64})$/.exec(location.search)?.[1];
      if (id && !startup.signInQuery && !noSignIn) begin(template.replace("ORDER", id), pay);
    } else if (template.includes("/TOKEN")) {
      const token = /^\/[lo]\/([0-9a-v]{1,64})$/.exec(location.pathname)?.[1];
      if (token && !startup.signInQuery && !noSignIn) begin(template.replace("TOKEN", token));
    } else begin(template);
  }

  // replaceData replaces the catalogue of a copy by the responses to its calls. If they are there
  // before the program, it need not wait for them: see PageData. A response that the program has to
  // act on, such as that of a signer with another version of the page, is left to it.
  const replaceData = async () => {
    const current = async (path) => {
      const response = (await startup[path].response).clone();
      const { version } = document.documentElement.dataset;
      if (!response.ok || response.headers.get("H5pay-Page") !== version) throw new Error("left to the program");
      return response.json();
    };
    const [config, { products }] = await Promise.all([current("/api/config"), current("/api/products")]);
    data.textContent = JSON.stringify({ config, products });
    data.dataset.current = "";
  };
  if (copied && data && !idle) replaceData().catch(() => {});

  // WeChat has just redirected back with a code: exchange it while the program loads. The program
  // makes the same call in every place that signs in. It also handles a code with other characters.
  const [code, state] = ["code", "state"].map((name) => {
    const pairs = (startup.signInQuery ?? "").split("&").filter((pair) => pair.startsWith(name + "="));
    return pairs.length === 1 && /^\w+=([\w-]{1,512})$/.exec(pairs[0])?.[1];
  });
  if (code && state && !idle && agent.includes("micromessenger/") && !noSignIn) {
    begin("/api/oauth/token", JSON.stringify({ code, state }));
  }

  // inWorker runs compileProgram in a worker. The worker's script is inline text, which saves a
  // request before the program can be fetched. The worker is never terminated, because the browser
  // may still be compiling code for its cache.
  const inWorker = (address, onProgress) =>
    new Promise((resolve, reject) => {
      const work = () => {
        compileProgram(address, (bytes) => postMessage({ bytes }))
          .then((program) => {
            try {
              compileFirst(program);
            } catch {} // without memory for a second instance
            postMessage({ program });
          })
          .catch((err) => postMessage({ error: String(err) }));
      };
      const text = `const address = ${JSON.stringify(address)}, compileProgram = ${compileProgram}, compileFirst = ${compileFirst}; (${work})();`;
      const worker = new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
      worker.onerror = worker.onmessageerror = () => reject(new Error("no worker"));
      worker.onmessage = ({ data: { bytes, program, error } }) => {
        if (bytes !== undefined) onProgress(bytes);
        else if (program) resolve(program);
        else reject(new Error(error));
      };
    });

  // The start of the worker would delay the paint. The worker waits for the paint where the program is requested
  // already, or is in the browser's cache, as that of a copy is. Elsewhere its request is the first.
  if (startup.programAddress && !idle) {
    const address = new URL(startup.programAddress, location.href).href; // a blob worker has no base address
    const program = (startup.program = {
      address,
      bytes: 0,
      onProgress: () => {}, // start.js replaces it
      received: (bytes) => {
        if (bytes === 0) startup.endRequest(); // compileProgram has the response now
        program.onProgress((program.bytes = bytes));
      },
    });
    program.compiled = (copied || startup.request ? painted : Promise.resolve()).then(() => inWorker(address, program.received));
    program.compiled.catch(() => {}); // start.js then compiles in the page
  }
  startup.ready = true;
}
