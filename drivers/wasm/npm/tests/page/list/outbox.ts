// The outbox of the list: its mutators, and its view over the rows.
import { createTransaction } from '@tanstack/react-db'
import { mutator, registerOfflineMutators, responseError, startOfflineExecutor, type Attempt } from 'outbox-offline'
import { tanstackDb } from 'outbox-offline/tanstack-db'

import { rows } from './rows.ts'

/** Who sends. */
export const tab = crypto.randomUUID()
const db = tanstackDb({ createTransaction, collections: { rows } })

interface Write {
  id: string
  text: string
}

/** The change that it has become. */
async function send({ args, fetch }: Attempt<Write>): Promise<number> {
  const response = await fetch('/todos', { method: 'POST', body: JSON.stringify({ ...args, tab }) })
  if (!response.ok) throw responseError(response)
  return Number(response.headers.get('etag')?.replaceAll('"', ''))
}

/** Until that change has come by the stream. */
function confirmed(rev: number | undefined, { id }: Write, signal: AbortSignal): Promise<void> {
  return db.arrived(rows, id, (row) => row !== undefined && row.rev >= (rev ?? 0), signal)
}

// Careless: the answer is believed, and the stream not waited for.
const isCareless = new URLSearchParams(location.search).has('careless')
const common = { mutate: send, idempotencyKey: true, ...(!isCareless && { confirmed }) }

registerOfflineMutators({
  addTodo: mutator({ ...common, optimistic: ({ id, text }: Write) => { rows.insert({ id, text, note: '', rev: 0 }) } }),
  renameTodo: mutator({ ...common, optimistic: ({ id, text }: Write) => { rows.update(id, (row) => { row.text = text }) } }),
})
export const outbox = startOfflineExecutor({ view: db })
