// The wasm in the code: LZMA, as text of base64. That is a sixth smaller on the wire than gzip.

import wasm from '../build/wasm/outbox.wasm.lzma.base64'
import { unlzma } from './lzma.js'

/** The bytes. */
export function inlinedWasm(): Uint8Array<ArrayBuffer> {
  return unlzma(Uint8Array.from(atob(wasm), (char) => char.charCodeAt(0)))
}
