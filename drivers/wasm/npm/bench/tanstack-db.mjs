// How fast pending items show in TanStack DB: restored after a restart, drained in waves, and the longest time that the
// thread was not free on the way. Beside it, in the same run, the same rows by the public calls of TanStack DB: one
// transaction per row (a tenth of the rows: its cost grows with the square), and all rows in one transaction, which is
// the floor. Figures of a machine that does other things mean little; the ratios mean more.
//
//   npm run build -- --no-wasm && node bench/tanstack-db.mjs [rows] [lowest|newest]

import { createOutbox, createTestOutbox, memoryAdapter } from '../dist/index.js'
import { tanstackDb } from '../dist/tanstack-db.js'

const ROWS = Number(process.argv[2] ?? 5_000)
const VERSION = process.argv[3] ?? 'newest'
const WAVES = [64, 256]
const ROUNDS = 3
const { createCollection, createTransaction, createLiveQueryCollection, eq } = await import(`tanstack-db-${VERSION}`)

const row = (n) => ({ id: `t${n}`, text: `todo ${n}`, done: false, n, tags: ['a', 'b'] })
const rows = Array.from({ length: ROWS }, (_, n) => row(n))
const items = rows.map((args, n) => ({
  id: `i${n}`, seq: n + 1, mutatorName: 'add', args, key: [args.id], createdAt: 0, retryCount: 0, nextAttemptAt: 0, version: 1, state: 'waiting',
}))
const task = () => new Promise((resolve) => { setImmediate(resolve) })
let made = 0

function remote() {
  let sync
  const collection = createCollection({ id: `bench${made++}`, getKey: ({ id }) => id, startSync: true, gcTime: 0, sync: { sync: (given) => { sync = given; given.markReady() } } })
  collection.subscribeChanges(() => {})
  const base = (values) => {
    sync.begin()
    for (const value of values) sync.write({ type: 'insert', value })
    sync.commit()
  }
  return { collection, base }
}

const clocks = {
  /** Also what other programs take. */
  wall: () => performance.now(),
  /** Also what V8 does beside us: compiling, collecting garbage. */
  cpu: () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1_000
  },
}

/** Runs it: how long it took, and the longest time without a free turn of the event loop, by both clocks. */
async function timed(work) {
  const now = () => ({ wall: clocks.wall(), cpu: clocks.cpu() })
  const longest = { wall: 0, cpu: 0 }
  let isOver = false
  await task()
  const start = now()
  let last = start
  const turn = () => {
    const at = now()
    for (const clock of Object.keys(clocks)) longest[clock] = Math.max(longest[clock], at[clock] - last[clock])
    last = at
    if (!isOver) setImmediate(turn)
  }
  setImmediate(turn)
  await work()
  const end = now()
  await task()
  isOver = true
  return { wall: end.wall - start.wall, cpu: end.cpu - start.cpu, longestWall: longest.wall, longestCpu: longest.cpu }
}

/** The view layer alone. */
function layer(collection) {
  let tell
  const connected = tanstackDb({ createTransaction, collections: [collection] }).connect({
    observe: (listener) => { tell = listener; return () => {} },
    optimistic: ({ args }) => () => collection.insert(args),
    onRegistered: () => () => {},
    subscribe: () => () => {},
    getSnapshot: () => ({ online: true, paused: [], items: [] }),
    tell: ({ error }) => { throw error },
  })
  return { tell: (changes) => tell(changes), shown: () => connected.shown() }
}

const transaction = () => createTransaction({ autoCommit: false, mutationFn: async () => {} })

/** Shows all items on a collection, until whoever looks at it has all rows. */
function restored(collection, seen) {
  const view = layer(collection)
  return timed(async () => {
    view.tell(items.map((item) => ({ kind: 'set', item, replay: true })))
    await view.shown()
    if (seen.size !== ROWS) throw new Error(`${seen.size} rows`)
  })
}

const measures = {
  'floor: one transaction, one insert of all rows': async () => {
    const { collection } = remote()
    return timed(async () => { transaction().mutate(() => collection.insert(rows)) })
  },
  'public calls: a transaction per row, a tenth of the rows': async () => {
    const { collection } = remote()
    return timed(async () => { for (const value of rows.slice(0, ROWS / 10)) transaction().mutate(() => collection.insert(value)) })
  },
  'restore': async () => {
    const { collection } = remote()
    return restored(collection, collection)
  },
  'restore, with a live query that filters and sorts': async () => {
    const { collection } = remote()
    const query = createLiveQueryCollection((q) => q.from({ t: collection }).where(({ t }) => eq(t.done, false)).orderBy(({ t }) => t.n))
    await query.preload()
    query.subscribeChanges(() => {})
    return restored(collection, query)
  },
  'one more item with all of these pending': async () => {
    const { collection } = remote()
    const view = layer(collection)
    view.tell(items.map((item) => ({ kind: 'set', item, replay: false })))
    return timed(async () => { view.tell([{ kind: 'set', item: { ...items[0], id: 'new', seq: null, args: row('new') }, replay: false }]) })
  },
  ...Object.fromEntries(WAVES.map((wave) => [`drain in waves of ${wave}, each after its rows have come from the server`, async () => {
    const { collection, base } = remote()
    const view = layer(collection)
    view.tell(items.map((item) => ({ kind: 'set', item, replay: false })))
    return timed(async () => {
      for (let from = 0; from < ROWS; from += wave) {
        base(rows.slice(from, from + wave))
        view.tell(items.slice(from, from + wave).map((item) => ({ kind: 'left', item, outcome: { kind: 'committed', result: undefined } })))
        await task()
      }
      if (collection.size !== ROWS || collection._state.transactions.size > 0) throw new Error('something is left')
    })
  }])),
  'the whole outbox: start with a store that holds them, until it is ready': async () => {
    const { collection } = remote()
    const storage = memoryAdapter()
    const options = { name: 'bench', storage, mutators: { add: { mutate: () => new Promise(() => {}), optimistic: (args) => { collection.insert(args) } } } }
    const before = createTestOutbox({ ...options, online: false })
    await Promise.all(rows.map((value) => before.mutate.add(value)))
    await before.dispose()
    let outbox
    const result = await timed(async () => {
      // By the real clock: a test's leaves the thread no turn.
      const onlineDetector = { isOnline: () => false, subscribe: () => () => {} }
      outbox = createOutbox({ ...options, leaderElection: 'none', onlineDetector, view: tanstackDb({ createTransaction, collections: [collection] }) })
      await outbox.ready
      if (collection.size !== ROWS) throw new Error(`${collection.size} rows`)
    })
    await outbox.dispose()
    return result
  },
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1]
console.log(`${ROWS} rows, @tanstack/db ${VERSION}, medians of ${ROUNDS}, in ms: wall (cpu)`)
let floor = 0
for (const [name, measure] of Object.entries(measures)) {
  const results = []
  for (let round = 0; round < ROUNDS; round += 1) results.push(await measure())
  const of = (field) => median(results.map((result) => result[field]))
  floor ||= of('cpu')
  console.log(`${name.padEnd(74)} ${of('wall').toFixed(1).padStart(7)} (${of('cpu').toFixed(0)})`.padEnd(96)
    + `${(of('cpu') / floor).toFixed(1)} × floor`.padEnd(14) + `longest block ${of('longestWall').toFixed(0)} (${of('longestCpu').toFixed(0)})`)
}
process.exit(0)
