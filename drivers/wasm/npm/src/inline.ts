// The wasm in the code: gzip, as text of base64. LZMA would be a sixth smaller on the wire; but a page has to unpack that by
// itself, in one block of its main thread at each start, whereas gzip is the platform's: beside the main thread, and
// compiled while it comes.

import wasm from '../build/wasm/outbox.wasm.gz.base64'

/** As if it were fetched. */
export function inlinedWasm(): Response {
  const packed = new Response(bytesOf(wasm)).body
  const unpacked = packed?.pipeThrough(new DecompressionStream('gzip')) ?? null
  return new Response(unpacked, { headers: { 'content-type': 'application/wasm' } })
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const { fromBase64 } = Uint8Array as { fromBase64?(base64: string): Uint8Array<ArrayBuffer> }
  if (fromBase64 !== undefined) return fromBase64.call(Uint8Array, base64)
  const chars = atob(base64)
  const bytes = new Uint8Array(chars.length)
  for (let at = 0; at < bytes.length; at++) bytes[at] = chars.charCodeAt(at)
  return bytes
}
