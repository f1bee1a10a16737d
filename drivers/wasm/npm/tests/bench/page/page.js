// The page of the benchmark: both libraries, and what is measured of them. Its query says which one is used.
import { bareStore, stores } from './floor.js'
import { incumbent } from './incumbent.js'
import { ours } from './ours.js'

/** @import { Row } from './side.d.ts' */
/** @typedef {{ ms: number, left: number, longestTaskMs: number }} Took `left`: so many were not done when time was up. */

const side = new URLSearchParams(location.search).get('side') === 'incumbent' ? incumbent : ours
const noop = async () => {}
/** So many writes of one kind are timed before it is the other's turn. */
const TURN = 10

/** @param {number} number @returns {Row} */
const row = (number) => ({ id: `row-${number}`, text: `${number} `.padEnd(200, 'x') })
/** @param {number} ms */
const wait = (ms) => new Promise((done) => setTimeout(done, ms))

/** The longest block of the main thread since `watchTasks`; 0: none was over 50 ms, shorter ones are not told. */
let longest = 0
const observer = new PerformanceObserver((list) => take(list.getEntries()))
/** @param {PerformanceEntry[]} entries */
function take(entries) {
  for (const { duration } of entries) longest = Math.max(longest, duration)
}

/**
 * Runs it, for at most `limitMs`.
 * @param {() => Promise<unknown>} work @param {number} limitMs @param {() => number} left
 * @param {() => Promise<unknown>} [begin] when the time begins; else at once
 * @returns {Promise<Took>}
 */
async function timed(work, limitMs, left, begin = noop) {
  observer.observe({ type: 'longtask' })
  // What came before is told by now.
  await wait(100)
  observer.takeRecords()
  longest = 0
  await begin()
  const start = performance.now()
  const done = work().then(() => performance.now() - start)
  const ms = await Promise.race([done, wait(limitMs).then(() => undefined)])
  const open = ms === undefined ? left() : 0
  await wait(100)
  take(observer.takeRecords())
  observer.disconnect()
  return { ms: ms ?? limitMs, left: open, longestTaskMs: longest }
}

/** @param {number[]} times */
function median(times) {
  const sorted = [...times].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? NaN
}

/** @type {Promise<Took> | undefined} */
let sent

export const bench = {
  /** Starts over what is stored. @param {number} [limitMs] @param {'strict' | 'relaxed'} [durability] @param {number} [mutatorMs] */
  start(limitMs = 60_000, durability = 'strict', mutatorMs = 0) {
    return timed(() => side.start(mutatorMs === 0 ? noop : () => wait(mutatorMs), durability), limitMs, side.left)
  },

  /** Starts with a mutator that always fails for one row. @param {number} poison */
  startWithPoison(poison) {
    const mutate = async (/** @type {Row} */ { id }) => {
      if (id === row(poison).id) throw new Error('out of order')
    }
    return timed(() => side.start(mutate, 'strict'), 60_000, side.left)
  },

  /** Writes so many rows in one turn, until all are stored. @param {number} count @param {number} [limitMs] */
  enqueue(count, limitMs = 60_000) {
    let stored = 0
    const add = (/** @type {number} */ number) => side.add(row(number)).then(() => (stored += 1))
    return timed(() => Promise.all(Array.from({ length: count }, (_, number) => add(number))), limitMs, () => count - stored)
  },

  /** One write after the other, and as many bare puts, in turns: the medians of what one of a turn takes. @param {number} count @param {'strict' | 'relaxed'} durability */
  async one(count, durability) {
    const bare = await bareStore(durability)
    const [own, floor] = [/** @type {number[]} */ ([]), /** @type {number[]} */ ([])]
    for (let first = 0; first < count; first += TURN) {
      own.push(await msOfOne((number) => side.add(row(number)), first))
      floor.push(await msOfOne((number) => bare.put(row(number)), first))
    }
    bare.close()
    return { own: median(own), bare: median(floor) }
  },

  /** Gets ready for `online`; called while offline. @param {number} limitMs */
  listen(limitMs) {
    return new Promise((/** @type {(value?: undefined) => void} */ listening) => {
      // Captured: so it is heard before the libraries hear it.
      const heard = () => new Promise((heard) => {
        addEventListener('online', heard, { once: true, capture: true })
        listening()
      })
      sent = timed(() => side.idle(), limitMs, side.left, heard)
    })
  },

  /** From the `online` event until nothing is stored. */
  online: () => /** @type {Promise<Took>} */ (sent),

  /** Until at most so many are stored. @param {number} few @param {number} limitMs */
  async until(few, limitMs) {
    const start = performance.now()
    while (side.left() > few && performance.now() - start < limitMs) await wait(1)
    return { ms: performance.now() - start, left: Math.max(0, side.left() - few) }
  },

  rows: () => side.rows(),
  left: () => side.left(),
  stores,
}

/**
 * The mean time of a turn's: a page's clock is too coarse for one. Each comes after a pause: what the one before has
 * left to do is not timed with it.
 * @param {(number: number) => Promise<unknown>} work @param {number} first
 */
async function msOfOne(work, first) {
  let sum = 0
  for (let number = first; number < first + TURN; number += 1) {
    await wait(1)
    const start = performance.now()
    await work(number)
    sum += performance.now() - start
  }
  return sum / TURN
}

Object.assign(globalThis, { bench })
