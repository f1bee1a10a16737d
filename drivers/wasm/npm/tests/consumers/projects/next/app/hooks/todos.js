// The hooks, and the view over TanStack DB, in a client component: what the server renders, the page hydrates.
'use client'

import { createCollection, createTransaction, localOnlyCollectionOptions, useLiveQuery } from '@tanstack/react-db'
import { mutator, registerOfflineMutators, startOfflineExecutor } from 'outbox-offline'
import { useMutator, useOutbox, useOutboxItem, useOutboxLane } from 'outbox-offline/react'
import { tanstackDb } from 'outbox-offline/tanstack-db'

const todos = createCollection(localOnlyCollectionOptions({ id: 'todos', getKey: ({ id }) => id }))

registerOfflineMutators({
  addTodo: mutator({
    mutate: async ({ args, fetch }) => {
      await fetch('/todos', { method: 'POST', body: JSON.stringify(args) })
    },
    optimistic: (todo) => { todos.insert(todo) },
  }),
})
startOfflineExecutor({ view: tanstackDb({ createTransaction, collections: { todos } }) })

export function Todos() {
  const { status, pendingCount } = useOutbox()
  const [item] = useOutboxLane('123')
  const { state } = useOutboxItem(item?.id)
  const addTodo = useMutator('addTodo')
  const { data } = useLiveQuery((query) => query.from({ todo: todos }))
  return (
    <>
      <p id="status">{status}</p>
      <p id="pending">{pendingCount}</p>
      <p id="item">{state}</p>
      <ul>{data?.map(({ id, text }) => <li key={id}>{text}</li>)}</ul>
      <button onClick={() => addTodo({ id: '123', text: 'Buy milk' })}>Buy milk</button>
    </>
  )
}
