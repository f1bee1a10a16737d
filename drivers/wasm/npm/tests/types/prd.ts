// The requirements' example, unchanged, before any mutators are told to the types.
import { registerOfflineMutators, createOfflineTransaction, startOfflineExecutor, indexedDbAdapter } from 'outbox-offline'
registerOfflineMutators({
  addTodo: async ({ args, idempotencyKey }) => { /* write path */ },
  updateTodo: async ({ args, idempotencyKey }) => { /* ... */ },
})
const addTodo = createOfflineTransaction({
  mutatorName: 'addTodo',
  enableIdempotencyKey: true,
})
await addTodo({ id: '123', text: 'Buy milk' })
startOfflineExecutor({
  maxConcurrency: 4,
  jitter: true,
  beforeRetry: (items) => items,   // squash/filter/rewrite
  storage: indexedDbAdapter(),
  leaderElection: 'auto',          // weblocks → broadcast-channel fallback
})
