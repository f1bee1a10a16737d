// The wasm in the code: gzip, as text of base64. That is smaller on the wire than the plain bytes as base64.

import wasm from '../build/wasm/outbox.wasm.gz.base64'

/** The bytes. */
export async function inlinedWasm(): Promise<ArrayBuffer> {
  const bytes = Uint8Array.from(atob(wasm), (char) => char.charCodeAt(0))
  const { body } = new Response(bytes)
  return new Response(body?.pipeThrough(new DecompressionStream('gzip'))).arrayBuffer()
}
