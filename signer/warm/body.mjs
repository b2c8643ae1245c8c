// Bodies are read completely and limited in size. They are never streamed into Go.
const maxDrained = 16 * 1024 * 1024; // bytes to read of a body that is too long

// readBody returns the first max bytes of the body of a Request or a Response. It reads and drops
// the rest up to maxDrained bytes, so that the sender receives the response.
export async function readBody(message, max) {
  const size = message.headers.get("Content-Length");
  if (size && Number(size) <= max && !message.headers.has("Content-Encoding")) {
    return new Uint8Array(await message.arrayBuffer());
  }
  if (!message.body) return new Uint8Array(0);
  const chunks = [];
  let read = 0;
  for await (const chunk of message.body) {
    if (read < max) chunks.push(chunk);
    read += chunk.byteLength;
    if (read >= maxDrained) break;
  }
  const body = new Uint8Array(Math.min(read, max));
  let at = 0;
  for (const chunk of chunks) {
    const part = chunk.subarray(0, body.length - at);
    body.set(part, at);
    at += part.length;
  }
  return body;
}
