// The page under test: a to-do list that writes through the outbox. Its query says how it is built and started
// (`How` in support/tab.ts); the tests call `todos`.
import {
  createOfflineTransaction,
  deleteOutbox,
  indexedDbAdapter,
  memoryAdapter,
  registerOfflineMutators,
  responseError,
  squash,
  startOfflineExecutor,
} from 'outbox-offline'

/** @import { Attempt, Outbox, OutboxEvent, OutboxOptions, RetryItem } from 'outbox-offline' */
/** @typedef {{ id: string, text: string }} Todo */

const asked = new URLSearchParams(location.search)
const server = new URL('/todos', import.meta.url)
/** Who sends. */
const tab = crypto.randomUUID?.() ?? String(Math.random())
/** @type {Todo[]} */
let base = []

const mutator = {
  /** @param {Attempt<Todo>} attempt */
  async mutate({ args, fetch }) {
    const response = await fetch(server, { method: 'POST', body: JSON.stringify({ ...args, tab }) })
    if (!response.ok) throw responseError(response)
    return await response.json()
  },
  // The server's list comes before the overlay goes: no to-do flickers.
  ...(asked.get('plain') !== 'true' && { confirmed: refresh }),
  ...(asked.has('timeout') && { timeout: Number(asked.get('timeout')) }),
}

// The new build has renamed its mutator, and forgotten what is stored under the old name.
registerOfflineMutators(asked.get('build') === 'new' ? { createTodo: mutator } : { addTodo: mutator })
const addTodo = createOfflineTransaction({
  mutatorName: asked.get('build') === 'new' ? 'createTodo' : 'addTodo',
  enableIdempotencyKey: true,
})

/** @type {Record<string, (items: RetryItem[]) => RetryItem[]>} */
const hooks = {
  'drop the stale': (items) => items.filter((item) => !item.args.text.startsWith('stale')),
  squash: ([first, ...rest]) => {
    if (first === undefined) return []
    const texts = (/** @type {RetryItem} */ item) => item.args.text
    const merged = (/** @type {RetryItem} */ into, /** @type {RetryItem} */ from) =>
      squash(into, from, { ...into.args, text: `${texts(into)} and ${texts(from)}` })
    return [rest.reduce(merged, first)]
  },
  shout: (items) =>
    items.map((item) => ({ ...item, args: { ...item.args, text: item.args.text.toUpperCase() } })),
  throw: () => {
    throw new Error('the hook is broken')
  },
}
const beforeRetry = hooks[asked.get('beforeRetry') ?? '']
const storages = {
  indexeddb: () => indexedDbAdapter(),
  memory: () => memoryAdapter(),
  // An object of the app's own: others may use it as well, for all that is known.
  own: () => memoryAdapter().connect(),
}
/** @type {OutboxOptions} */
const options = {
  ...(beforeRetry && { beforeRetry }),
  record: asked.get('record') === 'true',
  storage: storages[/** @type {keyof typeof storages} */ (asked.get('storage') ?? 'indexeddb')](),
}

/** @type {Outbox | undefined} */
let outbox
/** @type {Map<string, Promise<unknown>>} */
const settled = new Map()
/** @type {OutboxEvent[]} */
const seen = []

function start() {
  outbox = startOfflineExecutor(options)
  outbox.on((event) => seen.push(event))
  return outbox
}

async function refresh() {
  base = await (await fetch(server)).json()
}

const state = () => todos.outbox().getSnapshot()
const pendingTodos = () => state().items.map((item) => /** @type {Todo} */ (item.args))

const todos = {
  start,
  outbox: () => outbox ?? start(),

  /** @param {string} text @param {{ id?: string, key?: string }} [options] */
  async add(text, { id = crypto.randomUUID(), key } = {}) {
    const receipt = await addTodo({ id, text }, key === undefined ? {} : { key })
    settled.set(receipt.id, receipt.settled)
    return receipt.id
  },

  /** In one turn, all of one key. @param {string[]} texts */
  addAll: (texts) => Promise.all(texts.map((text) => todos.add(text, { key: 'list' }))),

  /** @param {string} text */
  async cannotAdd(text) {
    try {
      await todos.add(text)
    } catch (/** @type {any} */ error) {
      return { error: error.name, code: error.code, message: error.message }
    }
    throw new Error(`${text} was stored`)
  },

  /** @param {number} length @param {number} [atOnce] */
  async fill(length, atOnce = 1) {
    /** @type {string[]} */
    const stored = []
    for (;;) {
      const texts = Array.from({ length: atOnce }, (_, index) => `${stored.length + index} `.padEnd(length, '.'))
      const told = await Promise.allSettled(texts.map((text) => todos.add(text, { key: 'list' })))
      stored.push(...texts.filter((_, index) => told[index]?.status === 'fulfilled'))
      const refused = told.find(({ status }) => status === 'rejected')
      if (refused?.status === 'rejected') {
        const { name, code, message } = refused.reason
        return { stored, refusal: { error: name, code, message } }
      }
    }
  },

  /** @param {string} id */
  async told(id) {
    try {
      return await settled.get(id)
    } catch (/** @type {any} */ error) {
      return { error: error.name, message: error.message }
    }
  },

  pending: () => pendingTodos().map(({ text }) => text),
  failed: () => state().failures.map(({ item }) => /** @type {Todo} */ (item.args).text),
  /** @param {string} id */
  whyNot: (id) => todos.outbox().explain(id)?.reason,
  leading: () => state().leading,
  /** What the user sees: the server's list, and what is pending. */
  list() {
    const known = new Set(base.map(({ id }) => id))
    return [...base, ...pendingTodos().filter(({ id }) => !known.has(id))].map(({ text }) => text)
  },
  tab: () => tab,
  deleteAll: () => deleteOutbox(),
  recording: () => todos.outbox().exportRecording(),
  /** @param {string} type */
  events: (type) => seen.filter((event) => event.type === type),
}

// A page that starts offline shows what is pending alone.
await refresh().catch(() => {})
if (asked.get('idle') !== 'true') start()
Object.assign(globalThis, { todos })
