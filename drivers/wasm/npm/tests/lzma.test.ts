// The wasm is unpacked as it was packed.

import { compress } from '@blu3r4y/lzma'
import { expect, test } from 'vitest'
import { unlzma } from '../src/lzma.js'

const roundTrip = (bytes: Uint8Array): Uint8Array => unlzma(Uint8Array.from(compress(bytes, 1)))

/** The same each time: a linear congruential generator. */
function noise(length: number, alphabet: number): Uint8Array {
  let seed = 7
  return Uint8Array.from({ length }, () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return (seed >>> 16) % alphabet
  })
}

test.each([
  ['nothing', new Uint8Array()],
  ['one byte', Uint8Array.of(255)],
  ['one byte, often', new Uint8Array(5000).fill(65)],
  ['noise', noise(5000, 256)],
  ['noise of few bytes', noise(5000, 3)],
  ['near and far repetitions', Uint8Array.from([0, 1, 2, 1, 0, 2].flatMap((part) => [...noise(3000, 60 + part)]))],
  ['text', new TextEncoder().encode(JSON.stringify(Array.from({ length: 100 }, (_, n) => ({ id: `item ${n}`, n }))))],
])('%s', (_, bytes) => {
  expect(roundTrip(bytes).join()).toBe(bytes.join())
})
