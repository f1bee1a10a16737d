// Unpacks LZMA: a fifth smaller than the gzip that a platform can unpack, which is worth these lines. The format is
// that of the LZMA SDK's specification, and so are the names; its size must be known (as `.lzma` files have it).

// Where the probabilities of each kind of bit begin.
const IS_MATCH = 0
const IS_REP = IS_MATCH + 12 * 16
const IS_REP_G0 = IS_REP + 12
const IS_REP_G1 = IS_REP_G0 + 12
const IS_REP_G2 = IS_REP_G1 + 12
const IS_REP0_LONG = IS_REP_G2 + 12
const POS_SLOT = IS_REP0_LONG + 12 * 16
const POS_SPECIAL = POS_SLOT + 4 * 64
const ALIGN = POS_SPECIAL + 115
const LENGTH = ALIGN + 16
const REP_LENGTH = LENGTH + 514
const LITERAL = REP_LENGTH + 514

/** The bytes that `packed` holds: 5 bytes of properties, 8 of the size, and the stream. */
export function unlzma(packed: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const header = new DataView(packed.buffer, packed.byteOffset, 13)
  const properties = header.getUint8(0)
  const lc = properties % 9
  const lpMask = (1 << (Math.floor(properties / 9) % 5)) - 1
  const pbMask = (1 << Math.floor(properties / 45)) - 1
  const size = header.getUint32(5, true)
  const out = new Uint8Array(size)
  const { bit, direct } = rangeDecoder(packed.subarray(13), LITERAL + (0x300 << lc) * (lpMask + 1))

  const tree = (base: number, bits: number): number => {
    let symbol = 1
    for (let i = 0; i < bits; i++) symbol = symbol << 1 | bit(base + symbol)
    return symbol - (1 << bits)
  }
  const reverse = (base: number, bits: number): number => {
    let [symbol, place] = [0, 1]
    for (let i = 0; i < bits; i++) {
      const low = bit(base + place)
      place = place << 1 | low
      symbol |= low << i
    }
    return symbol
  }
  const length = (base: number, posState: number): number => {
    if (bit(base) === 0) return 2 + tree(base + 2 + posState * 8, 3)
    return bit(base + 1) === 0 ? 10 + tree(base + 130 + posState * 8, 3) : 18 + tree(base + 258, 8)
  }
  const distance = (len: number): number => {
    const slot = tree(POS_SLOT + Math.min(len - 2, 3) * 64, 6)
    if (slot < 4) return slot
    const bits = (slot >> 1) - 1
    const start = (2 | slot & 1) << bits
    if (slot < 14) return start + reverse(POS_SPECIAL + start - slot, bits)
    return start + (direct(bits - 4) << 4) + reverse(ALIGN, 4)
  }
  const literal = (pos: number, match: number): number => {
    const before = pos === 0 ? 0 : out[pos - 1]!
    const base = LITERAL + 0x300 * (((pos & lpMask) << lc) + (before >> 8 - lc))
    let symbol = 1
    // After a match, the byte that would have gone on with it tells what this one is not.
    for (let offset = match < 0 ? 0 : 0x100; symbol < 0x100;) {
      match <<= 1
      const expected = match & offset
      const found = bit(base + offset + expected + symbol)
      symbol = symbol << 1 | found
      if (offset !== 0 && (expected !== 0) !== (found !== 0)) offset = 0
    }
    return symbol
  }

  let [rep0, rep1, rep2, rep3, state] = [0, 0, 0, 0, 0]
  for (let pos = 0; pos < size;) {
    const posState = pos & pbMask
    if (bit(IS_MATCH + state * 16 + posState) === 0) {
      out[pos] = literal(pos, state < 7 ? -1 : out[pos - rep0 - 1]!)
      pos++
      state = state < 4 ? 0 : state - (state < 10 ? 3 : 6)
      continue
    }
    let len: number
    if (bit(IS_REP + state) === 0) {
      [rep1, rep2, rep3] = [rep0, rep1, rep2]
      len = length(LENGTH, posState)
      state = state < 7 ? 7 : 10
      rep0 = distance(len)
    } else {
      if (bit(IS_REP_G0 + state) === 0) {
        if (bit(IS_REP0_LONG + state * 16 + posState) === 0) {
          out[pos] = out[pos - rep0 - 1]!
          pos++
          state = state < 7 ? 9 : 11
          continue
        }
      } else if (bit(IS_REP_G1 + state) === 0) [rep0, rep1] = [rep1, rep0]
      else if (bit(IS_REP_G2 + state) === 0) [rep0, rep1, rep2] = [rep2, rep0, rep1]
      else [rep0, rep1, rep2, rep3] = [rep3, rep0, rep1, rep2]
      len = length(REP_LENGTH, posState)
      state = state < 7 ? 8 : 11
    }
    for (const end = pos + len; pos < end; pos++) out[pos] = out[pos - rep0 - 1]!
  }
  return out
}

/** Bits of known and learned probability (`bit`), and such as are even (`direct`). */
function rangeDecoder(bytes: Uint8Array, count: number) {
  const probabilities = new Uint16Array(count).fill(1024)
  let [range, code, at] = [0xffffffff, 0, 0]
  const next = () => { code = (code << 8 | bytes[at++]!) >>> 0 }
  for (let i = 0; i < 5; i++) next()
  const normalize = () => {
    if (range >= 0x1000000) return
    range = range << 8 >>> 0
    next()
  }
  return {
    bit(index: number): 0 | 1 {
      normalize()
      const probability = probabilities[index]!
      const bound = (range >>> 11) * probability
      if (code < bound) {
        range = bound
        probabilities[index] = probability + (2048 - probability >> 5)
        return 0
      }
      code -= bound
      range -= bound
      probabilities[index] = probability - (probability >> 5)
      return 1
    },
    direct(bits: number): number {
      let found = 0
      for (let i = 0; i < bits; i++) {
        normalize()
        range >>>= 1
        const one = code >= range ? 1 : 0
        code -= range * one
        found = found << 1 | one
      }
      return found
    },
  }
}
