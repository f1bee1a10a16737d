// The to-do list as an app on TanStack DB and React; the tests use it as a person does, and read what it has recorded.
import { useLiveQuery } from '@tanstack/react-db'
import { StrictMode, useLayoutEffect, useState, type FormEvent } from 'react'
import { createRoot } from 'react-dom/client'
import { useMutator, useOutbox, useOutboxItem, useOutboxLane } from 'outbox-offline/react'

import { outbox, tab } from './outbox.ts'
import { rows, type Row } from './rows.ts'

/** The texts of each committed render of the list, from the first. */
const renders: string[][] = []
/** What a subscriber of the collection was told, in order: `insert milk`. */
const changes: string[] = []
rows.subscribeChanges((news) => {
  for (const { type, value } of news) changes.push(`${type} ${value.text}`)
})

function State() {
  const { status, online, leading, paused, pendingCount, pause, resume } = useOutbox()
  return (
    <header>
      <p role="status">
        {[status, online ? 'online' : 'offline', leading ? 'leading' : 'following', `${pendingCount} pending`, ...paused].join(', ')}
      </p>
      <button onClick={() => void pause('login')}>Pause</button>
      <button onClick={() => void resume('login')}>Resume</button>
    </header>
  )
}

function NewTodo() {
  const [text, setText] = useState('')
  const addTodo = useMutator('addTodo')
  const submit = (event: FormEvent) => {
    event.preventDefault()
    void addTodo({ id: crypto.randomUUID(), text })
    setText('')
  }
  return (
    <form onSubmit={submit}>
      <input aria-label="New to-do" value={text} onChange={({ target }) => setText(target.value)} />
      <button>Add</button>
    </form>
  )
}

function Todo({ row: { id, text, note } }: { row: Row }) {
  const [draft, setDraft] = useState<string>()
  const [item] = useOutboxLane(id)
  const { state, explanation, remove } = useOutboxItem(item?.id)
  const renameTodo = useMutator('renameTodo')
  const save = () => {
    if (draft !== undefined) void renameTodo({ id, text: draft })
    setDraft(undefined)
  }
  return (
    <li aria-label={text}>
      <input aria-label={`Text of ${text}`} value={draft ?? text} onChange={({ target }) => setDraft(target.value)} />
      <button onClick={save}>Save</button>
      {item !== undefined && <button onClick={() => void remove()}>Take back</button>}
      {note !== '' && <b> {note}</b>}
      {item !== undefined && <i> {state}: {explanation?.words}</i>}
    </li>
  )
}

function Refused({ id }: { id: string }) {
  const { state, failure, retry, dismiss } = useOutboxItem(id)
  const { text } = failure?.item.args as { text: string }
  return (
    <li aria-label={text}>
      {text} {state}: {failure?.error.message}
      <button onClick={() => void retry()}>Try again</button>
      <button onClick={() => void dismiss()}>Dismiss</button>
    </li>
  )
}

function List() {
  const { data } = useLiveQuery((query) => query.from({ row: rows }).orderBy(({ row }) => row.text))
  const { failures } = useOutbox()
  useLayoutEffect(() => {
    renders.push(data.map(({ text }) => text))
  })
  return (
    <main>
      <State />
      <NewTodo />
      <ul aria-label="To-dos">{data.map((row) => <Todo key={row.id} row={row} />)}</ul>
      <ul aria-label="Refused">{failures.map(({ item }) => <Refused key={item.id} id={item.id} />)}</ul>
    </main>
  )
}

await outbox.ready
createRoot(document.getElementById('root')!).render(<StrictMode><List /></StrictMode>)
Object.assign(globalThis, {
  list: {
    tab,
    renders,
    changes,
    texts: () => rows.toArray.map(({ text }) => text).sort(),
    idOf: (text: string) => rows.toArray.find((row) => row.text === text)?.id,
  } satisfies typeof list,
})
