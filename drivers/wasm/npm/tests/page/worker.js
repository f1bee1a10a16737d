// An outbox in a worker, dedicated or shared: `{ start }`, `{ add: text }`, `{ leading }`, each with one answer.

/** @import { Attempt } from 'outbox-offline' */
/** @typedef {{ start?: true, add?: string, leading?: true }} Asked */
/** @typedef {{ onmessage: ((message: MessageEvent<Asked>) => void) | null, postMessage(answer: unknown): void }} Port */

const opened = open()

async function open() {
  // A worker has no import map.
  /** @type {typeof import('outbox-offline')} */
  const { createOutbox, responseError } = await import(/** @type {any} */ ('/outbox/index.js'))
  return createOutbox({
    mutators: {
      /** @param {Attempt<{ id: string, text: string }>} attempt */
      async addTodo({ args, fetch }) {
        const response = await fetch('/todos', { method: 'POST', body: JSON.stringify({ ...args, tab: 'worker' }) })
        if (!response.ok) throw responseError(response)
        return await response.json()
      },
    },
  })
}

/** @param {Asked} asked */
async function answer({ add, leading }) {
  const outbox = await opened
  await outbox.ready
  if (add !== undefined) {
    const addTodo = outbox.createOfflineTransaction({ mutatorName: 'addTodo', enableIdempotencyKey: true })
    return (await addTodo({ id: crypto.randomUUID(), text: add }, { key: add.split(' ')[0] })).id
  }
  return leading ? outbox.getSnapshot().leading : true
}

/** @param {Port} port */
function serve(port) {
  port.onmessage = async ({ data }) => port.postMessage(await answer(data).catch(String))
}

if ('onconnect' in globalThis) {
  Object.assign(globalThis, { onconnect: (/** @type {MessageEvent} */ { ports }) => ports[0] && serve(/** @type {any} */ (ports[0])) })
} else {
  serve(/** @type {any} */ (globalThis))
}
