// A client component, which Next.js also renders on the server: there, import and start must do nothing.
'use client'

import { createOfflineTransaction, registerOfflineMutators, startOfflineExecutor } from 'outbox-offline'
import { useSyncExternalStore } from 'react'

registerOfflineMutators({
  addTodo: async ({ args, fetch }) => {
    await fetch('/todos', { method: 'POST', body: JSON.stringify(args) })
  },
})
const addTodo = createOfflineTransaction({ mutatorName: 'addTodo', enableIdempotencyKey: true })
const outbox = startOfflineExecutor()

export function Todos() {
  const state = useSyncExternalStore(outbox.subscribe, outbox.getSnapshot, outbox.getServerSnapshot)
  return (
    <>
      <p id="status">{state.status}</p>
      <p id="pending">{state.items.length}</p>
      <button onClick={() => addTodo({ id: '123', text: 'Buy milk' })}>Buy milk</button>
    </>
  )
}
