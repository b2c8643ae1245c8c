// The Worker of the RSA benchmark: one Go program, as in the signer, and WebCrypto for it. POST /OP
// with the message; the response is the result.
import program from "./program.wasm";
import "./wasm_exec.js";

// As in program/main_js.go.
const ops = { keys: 1, none: 2, "go-sign": 3, "go-verify": 4, "go-import": 5, "web-sign": 6, "web-verify": 7, "web-import": 8 };
const [ANSWER, REPLY] = [0, 9];
const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };

const subtle = {
  [ops["web-sign"]]: async (bytes) => new Uint8Array(await crypto.subtle.sign(algorithm, keys.private, bytes)),
  [ops["web-verify"]]: async (bytes) =>
    text(String(await crypto.subtle.verify(algorithm, keys.public, bytes.subarray(0, 256), bytes.subarray(256)))),
  [ops["web-import"]]: async () => {
    await crypto.subtle.importKey("pkcs8", keys.pkcs8, algorithm, false, ["sign"]);
    return new Uint8Array(0);
  },
};

const text = (s) => new TextEncoder().encode(s);

let keys; // { pkcs8, private, public }
let go, wasm, message, answered;

function start() {
  go = new Go();
  go.env = { GODEBUG: "gcshrinkstackoff=1" };
  const bench = {
    send: (op, at, size) => {
      const bytes = new Uint8Array(go.mem.buffer, at >>> 0, size >>> 0).slice();
      if (op === ANSWER) answered(bytes);
      else subtle[op](bytes).then((reply) => deliver(REPLY, reply));
    },
    take: (at) => new Uint8Array(go.mem.buffer).set(message, at >>> 0),
  };
  wasm = new WebAssembly.Instance(program, { ...go.importObject, bench });
  go.run(wasm);
}

function deliver(op, bytes) {
  message = bytes;
  wasm.exports.receive(op, bytes.length);
  go._resume();
}

export default {
  async fetch(request) {
    const op = new URL(request.url).pathname.slice(1);
    const body = new Uint8Array(await request.arrayBuffer());
    if (op === "keys") {
      const size = new DataView(body.buffer).getUint32(0, true);
      const pkcs8 = body.slice(4, 4 + size);
      keys = {
        pkcs8,
        private: await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]),
        public: await crypto.subtle.importKey("spki", body.slice(4 + size), algorithm, false, ["verify"]),
      };
      start();
    }
    const result = await new Promise((resolve) => {
      answered = resolve;
      deliver(ops[op], body);
    });
    return new Response(result);
  },
};
