// outbox-offline, with the optimistic rows of an app on top: a map, kept by `observe`.
import { createOutbox, indexedDbAdapter } from 'outbox-offline'

/** @import { Row, Side } from './side.d.ts' */

/** @type {Map<string, Row>} */
const rows = new Map()
/** @type {(() => void)[]} */
let waiting = []
/** @type {(row: Row) => Promise<unknown>} */
let store

/** @type {Side} */
export const ours = {
  async start(mutate, durability) {
    const outbox = createOutbox({
      name: 'bench',
      mutators: { add: (/** @type {{ args: Row }} */ { args }) => mutate(args) },
      storage: indexedDbAdapter({ durability }),
    })
    store = outbox.mutate.add
    outbox.observe((changes) => {
      for (const { kind, item } of changes) {
        const row = /** @type {Row} */ (item.args)
        if (kind === 'set') rows.set(row.id, row)
        else rows.delete(row.id)
      }
      if (rows.size === 0) for (const done of waiting.splice(0)) done()
    })
    await outbox.ready
  },

  async add(row) {
    await store(row)
  },

  rows: () => rows.size,
  left: () => rows.size,

  // An item leaves the view when its delete is durable.
  async idle() {
    if (rows.size > 0) await new Promise((/** @type {(value?: undefined) => void} */ done) => waiting.push(done))
  },
}
