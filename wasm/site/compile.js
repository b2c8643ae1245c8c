// compileProgram fetches the program and compiles it. It reports the number of received bytes. It
// resolves to the module, or to the status of a failed response. If the response is something else,
// such as the sign-in page of a public network, it throws an error with why "altered": see
// check.js.
//
// first.js passes their text to a worker, because compiling megabytes in the page's own thread would
// delay the first paint and input. start.js calls compileProgram where there are no workers.
"use strict";
const compileProgram = async (wasm, onProgress) => {
  let response = await fetch(wasm);
  if (response.status === 404) response = await fetch(wasm, { cache: "reload" }); // skip a response that was cached before the last deployment
  if (!response.ok) return response.status;
  onProgress(0);
  // Count a copy. The response itself goes to the compiler: the browser can then use its cache of
  // compiled code.
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
      await counted; // start.js checks whether the whole program arrived
      throw err;
    });
  }
  const bytes = await response.arrayBuffer();
  if (String(new Uint8Array(bytes, 0, Math.min(4, bytes.byteLength))) !== "0,97,115,109") {
    throw Object.assign(new Error(`${wasm}: want application/wasm, got ${type}`), { why: "altered" });
  }
  return WebAssembly.compile(bytes);
};

// compileFirst has the functions compiled that run first, which the program names: see
// wasmbin.CompileFirst. V8 compiles a function at its first call. In the page's own thread that took
// three quarters of the program's start. The compiled code belongs to the module, in every thread.
// The calls do nothing: the stack pointer is outside of the memory, so they end with an error, and the
// browser's functions are empty ones.
const compileFirst = (module) => {
  const [list] = WebAssembly.Module.customSections(module, "h5pay.first");
  if (!list) return;
  const imports = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = () => {};
  const { table, sp } = new WebAssembly.Instance(module, imports).exports;
  let [at, step, shift] = [0, 0, 0];
  for (const byte of new Uint8Array(list)) {
    step |= (byte & 127) << shift;
    shift += 7;
    if (byte & 128) continue;
    at += step;
    step = shift = 0;
    sp.value = -65536;
    try {
      table.get(at)(0);
    } catch {}
  }
};
