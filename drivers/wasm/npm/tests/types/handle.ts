// What an app does with an open outbox, as it types.

import {
  createOutbox, createTestOutbox, kvStore, memoryAdapter, mutator, NonRetriableError, responseError, RetryError, squash,
  startOfflineExecutor, type Attempt, type OutboxStorage, type PendingItem, type Receipt,
} from 'outbox-offline'
import { startOfflineExecutor as startExternal } from 'outbox-offline/external'

const outbox = createOutbox({
  name: 'user-7',
  mutators: {
    addTodo: mutator({
      mutate: async ({ args, fetch, metadata }: Attempt<{ id: string; text: string }>) => {
        const response = await fetch('/todos', { method: 'POST', body: JSON.stringify(args) })
        if (!response.ok) throw responseError(response)
        if (metadata.draft === true) throw new NonRetriableError('drafts stay here')
        if (args.text === '') throw new RetryError('later', { retryAfter: 30 })
        return (await response.json()) as { rev: number }
      },
      confirmed: async (result, args, signal) => { const rev: number | undefined = result?.rev; void [rev, args.text, signal.aborted] },
      key: (args) => [args.id, 7],
      retry: { maxAttempts: 5, then: 'drop' },
    }),
  },
  beforeRetry: ([first, ...rest]) => first === undefined ? [] : [rest.reduce((into, from) => squash(into, from), first)],
  leaderElection: 'none',
  storage: kvStore({ get: () => null, set: () => {}, delete: () => {}, keys: () => [] }),
})
const receipt: Receipt<{ rev: number }> = await outbox.mutate.addTodo({ id: '1', text: 'x' }, { key: 'k', metadata: { draft: false } })
const off = outbox.on('attemptFailed', (event) => { const at: number = event.nextAttemptAt; void at })
outbox.on((event) => { if (event.type === 'paused') void event.reasons.length })
// @ts-expect-error no such event
outbox.on('attemptFialed', () => {})
outbox.observe((changes) => { for (const change of changes) { const item: PendingItem = change.item; void item.seq } })
const why = outbox.explain(receipt.id)
if (why?.reason.kind === 'behind') void why.reason.lane
off()
await outbox.dispose()
// @ts-expect-error a receipt is not thenable
void receipt.then
// @ts-expect-error no such election
startOfflineExecutor({ leaderElection: 'web-lock' })
startExternal({ wasm: new URL('https://localhost/outbox.wasm') })

const test = createTestOutbox({ mutators: { ping: async (_: Attempt<undefined>) => 1 }, storage: memoryAdapter(), online: false })
await test.advance(1_000)
const pong: number | undefined = (await (await test.mutate.ping()).settled).result
declare const own: OutboxStorage
startOfflineExecutor({ storage: own, maxConcurrency: 2 })
void pong
