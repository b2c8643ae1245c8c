// compileProgram fetches the program and compiles it. It tells how many bytes there
// are, and then resolves to the module, or to the status of an answer that is none.
//
// first.js gives its text to a worker, so that neither the first paint nor a finger
// waits while megabytes pass through the page's own thread; start.js calls it where
// there are no workers.
"use strict";
const compileProgram = async (wasm, tell) => {
  let response = await fetch(wasm);
  if (response.status === 404) response = await fetch(wasm, { cache: "reload" }); // not what a cache keeps of before
  if (!response.ok) return response.status;
  tell(0);
  // The copy is counted; the response itself, which the browser knows by its
  // address, goes to the compiler, and can come from the cache of compiled code.
  const count = async (reader) => {
    for (let bytes = 0; ; ) {
      const { done, value } = await reader.read();
      if (done) return;
      bytes += value.byteLength;
      tell(bytes);
    }
  };
  count(response.clone().body.getReader()).catch(() => {}); // the compiler meets the same error
  const type = response.headers.get("Content-Type") ?? "";
  if (WebAssembly.compileStreaming && type.startsWith("application/wasm")) return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
};
