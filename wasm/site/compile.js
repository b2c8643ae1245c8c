// compileProgram fetches the program and compiles it. It tells how many bytes there
// are, and then resolves to the module, or to the status of an answer that is none.
// An answer that holds something else, such as the sign-in page of a public network,
// makes an error with why "altered": see check.js.
//
// first.js gives its text to a worker, so that neither the first paint nor a finger
// waits while megabytes pass through the page's own thread; start.js calls it where
// there are no workers.
"use strict";
const compileProgram = async (wasm, onProgress) => {
  let response = await fetch(wasm);
  if (response.status === 404) response = await fetch(wasm, { cache: "reload" }); // not what a cache keeps of before
  if (!response.ok) return response.status;
  onProgress(0);
  // The copy is counted; the response itself, which the browser knows by its
  // address, goes to the compiler, and can come from the cache of compiled code.
  const count = async (reader) => {
    for (let bytes = 0; ; ) {
      const { done, value } = await reader.read();
      if (done) return;
      bytes += value.byteLength;
      onProgress(bytes);
    }
  };
  const counted = count(response.clone().body.getReader()).catch(() => {}); // the compiler meets the same error
  const type = response.headers.get("Content-Type") ?? "";
  if (WebAssembly.compileStreaming && type.startsWith("application/wasm")) {
    return WebAssembly.compileStreaming(response).catch(async (err) => {
      await counted; // start.js asks whether all of the program was there
      throw err;
    });
  }
  const bytes = await response.arrayBuffer();
  if (String(new Uint8Array(bytes, 0, Math.min(4, bytes.byteLength))) !== "0,97,115,109") {
    throw Object.assign(new Error(`${wasm} is no program but ${type}`), { why: "altered" });
  }
  return WebAssembly.compile(bytes);
};
