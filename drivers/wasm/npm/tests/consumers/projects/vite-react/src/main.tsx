// An app on TanStack DB and React, as the package's README says it: typed, in StrictMode, its rows kept on the device.
import { createCollection, createTransaction, localStorageCollectionOptions, useLiveQuery } from '@tanstack/react-db'
import { mutator, registerOfflineMutators, startOfflineExecutor, type Attempt } from 'outbox-offline'
import { useMutator, useOutbox, useOutboxLane } from 'outbox-offline/react'
import { tanstackDb } from 'outbox-offline/tanstack-db'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'

interface Todo {
  id: string
  text: string
}

const todos = createCollection(localStorageCollectionOptions({
  id: 'todos', storageKey: 'todos', getKey: (todo: Todo) => todo.id, startSync: true,
}))

const mutators = {
  addTodo: mutator({
    mutate: async ({ args, fetch }: Attempt<Todo>) => {
      await fetch('/todos', { method: 'POST', body: JSON.stringify(args) })
    },
    optimistic: (todo) => { todos.insert(todo) },
    idempotencyKey: true,
  }),
}

declare module 'outbox-offline' {
  interface Register { mutators: typeof mutators }
}

registerOfflineMutators(mutators)
const outbox = startOfflineExecutor({ view: tanstackDb({ createTransaction, collections: { todos } }) })

function Row({ todo }: { todo: Todo }) {
  const pending = useOutboxLane(todo.id)
  return <li>{todo.text}{pending.length > 0 && ', pending'}</li>
}

function Todos() {
  const { data } = useLiveQuery((query) => query.from({ todo: todos }))
  const { pendingCount } = useOutbox()
  const addTodo = useMutator('addTodo')
  return (
    <>
      <p role="status">{pendingCount} pending</p>
      <ul>{data.map((todo) => <Row key={todo.id} todo={todo} />)}</ul>
      <button onClick={() => void addTodo({ id: crypto.randomUUID(), text: 'Buy milk' })}>Buy milk</button>
    </>
  )
}

await outbox.ready
createRoot(document.getElementById('root')!).render(<StrictMode><Todos /></StrictMode>)
