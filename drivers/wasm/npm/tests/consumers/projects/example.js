// The example of the requirements; its write path is all that was filled in. Every project runs this very file.
import {
  createOfflineTransaction,
  indexedDbAdapter,
  registerOfflineMutators,
  startOfflineExecutor,
} from 'outbox-offline'

registerOfflineMutators({
  addTodo: async ({ args, idempotencyKey }) => {
    const headers = { 'Idempotency-Key': idempotencyKey ?? '' }
    const response = await fetch('/todos', { method: 'POST', headers, body: JSON.stringify(args) })
    if (!response.ok) throw new Error(`the server answered ${response.status}`)
  },
  updateTodo: async ({ args, idempotencyKey }) => { /* ... */ },
})

const addTodo = createOfflineTransaction({
  mutatorName: 'addTodo',
  enableIdempotencyKey: true,
})
await addTodo({ id: '123', text: 'Buy milk' })
document.title = 'stored'

startOfflineExecutor({
  maxConcurrency: 4,
  jitter: true,
  beforeRetry: (items) => items,   // squash/filter/rewrite
  storage: indexedDbAdapter(),
  leaderElection: 'auto',          // weblocks → broadcast-channel fallback
})
