// Compresses the page's programs as well as brotli can, for `make compressed`. Cloudflare compresses
// while it sends, with a fast setting, and needs 30 % more bytes. The name of a program contains the
// hash of its content, so a file that is there is right.
import { existsSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";

for (const folder of process.argv.slice(2)) {
  for (const name of readdirSync(folder).filter((name) => name.endsWith(".wasm"))) {
    const file = join(folder, name);
    if (existsSync(file + ".br")) continue;
    const program = readFileSync(file);
    const params = {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: program.length,
    };
    writeFileSync(file + ".tmp", brotliCompressSync(program, { params }));
    renameSync(file + ".tmp", file + ".br"); // an interrupted run leaves no half file under this name
  }
}
