// The hooks, with the oldest and the newest React: in a page, in StrictMode, on a server, hydrated.

import { readFileSync } from 'node:fs'
import * as React from 'react'
import { act, StrictMode, useState, type ReactElement } from 'react'
import { createRoot, hydrateRoot, type Root } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  createTestOutbox, defaultOutbox, memoryAdapter, NonRetriableError, registerOfflineMutators, startOfflineExecutor,
} from '../../dist/index.js'
import { OutboxProvider, useMutator, useOutbox, useOutboxItem, useOutboxLane } from '../../dist/react.js'

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })

let container: HTMLElement
let root: Root | undefined
const open: { dispose(): Promise<void> }[] = []
beforeEach(() => { document.body.append(container = document.createElement('div')) })
afterEach(async () => {
  await act(async () => root?.unmount())
  root = undefined
  container.remove()
  await Promise.all(open.splice(0).map((outbox) => outbox.dispose()))
})

const text = () => container.textContent
async function render(element: ReactElement) {
  root ??= createRoot(container)
  await act(async () => root!.render(element))
}

function outboxOf(mutators: object, options: object = {}): any {
  const outbox = createTestOutbox({ mutators, jitter: false, ...options } as never)
  open.push(outbox as never)
  return outbox
}

/** A mutator that is answered by the test. */
function answered() {
  const waiting: { resolve(value?: unknown): void; reject(error: unknown): void }[] = []
  return { waiting, mutate: () => new Promise((resolve, reject) => { waiting.push({ resolve, reject }) }) }
}

test('this is the React that is meant, and the entry is marked for the client', () => {
  expect(React.version.split('.')[0]).toBe(process.env.REACT_VERSION)
  expect(readFileSync('dist/react.js', 'utf8')).toMatch(/^"use client";/)
})

test('state of the outbox: what is pending, online, leading, paused; failures, retried and dismissed', async () => {
  const add = answered()
  const outbox = outboxOf({ add })
  let state!: ReturnType<typeof useOutbox>
  function Status() {
    state = useOutbox()
    return <p>{state.status} {state.pendingCount} pending, {state.failures.length} failed, {String(state.online)}, {state.paused.join()}</p>
  }
  await render(<StrictMode><OutboxProvider outbox={outbox}><Status /></OutboxProvider></StrictMode>)
  await act(() => outbox.idle())
  expect(text()).toBe('ready 0 pending, 0 failed, true, ')
  expect(state.leading).toBe(true)
  await act(async () => { await outbox.mutate.add({ id: '1' }); await outbox.idle() })
  expect(text()).toBe('ready 1 pending, 0 failed, true, ')
  await act(async () => { add.waiting.shift()!.reject(new NonRetriableError('no')); await outbox.idle() })
  expect(text()).toBe('ready 0 pending, 1 failed, true, ')
  await act(async () => { await state.retryFailure(state.failures[0]!.item.id); await outbox.idle() })
  expect(text()).toBe('ready 1 pending, 0 failed, true, ')
  await act(async () => { add.waiting.shift()!.reject(new NonRetriableError('no')); await outbox.idle() })
  await act(async () => { expect(await state.dismissFailure(state.failures[0]!.item.id)).toBe(true); await outbox.idle() })
  await act(async () => { await state.pause('auth'); outbox.setOnline(false); await outbox.idle() })
  expect(text()).toBe('ready 0 pending, 0 failed, false, auth')
  await act(async () => { expect(await state.resume('auth')).toBe(true); await outbox.idle() })
  const before = state
  await render(<StrictMode><OutboxProvider outbox={outbox}><Status /></OutboxProvider></StrictMode>)
  expect(state).toBe(before)
})

test('an item from its writing to its end, in words; it is rendered only when something of it changes', async () => {
  const add = answered()
  const outbox = outboxOf({ add, other: answered() })
  await outbox.idle()
  const seen: string[] = []
  let item!: ReturnType<typeof useOutboxItem>
  let renders = 0
  function Item({ id }: { id: string | undefined }) {
    item = useOutboxItem(id, outbox)
    renders += 1
    if (seen.at(-1) !== item.state) seen.push(item.state)
    return <p>{item.state}: {item.explanation?.words ?? item.failure?.error.message ?? ''}</p>
  }
  await render(<Item id={undefined} />)
  expect(text()).toBe('unknown: ')
  let id = ''
  await act(async () => {
    const stored = outbox.mutate.add({ id: '1' })
    id = outbox.getSnapshot().items[0].id
    root!.render(<Item id={id} />)
    await stored
    await outbox.idle()
  })
  expect(text()).toMatch(/^sending: .{3,}/)
  const before = renders
  await act(async () => { await outbox.mutate.other({ id: '2' }); await outbox.idle() })
  expect(renders).toBe(before)
  await act(async () => { add.waiting.shift()!.reject(new Error('again')); await outbox.idle() })
  expect(text()).toMatch(/^waiting: .{3,}/)
  expect(item.item).toMatchObject({ retryCount: 1, lastError: { message: 'again' } })
  await act(async () => { await outbox.advance(2_000) })
  await act(async () => { add.waiting.shift()!.reject(new NonRetriableError('refused')); await outbox.idle() })
  expect(text()).toBe('failed: refused')
  await act(async () => { await item.retry(); await outbox.idle() })
  expect(text()).toBe('unknown: ')
  await render(<Item id={outbox.getSnapshot().items[0].id} />)
  await act(async () => { await item.remove(); await outbox.idle() })
  expect(text()).toBe('unknown: ')
  expect(seen).toContain('sending')
})

test('a row\'s items by its key: the same list until one of them changes', async () => {
  const outbox = outboxOf({ add: answered() }, { online: false })
  const lists: unknown[] = []
  function Lane() {
    const items = useOutboxLane(1)
    if (lists.at(-1) !== items) lists.push(items)
    return <p>{items.map(({ args }) => (args as any).n).join()}</p>
  }
  await render(<OutboxProvider outbox={outbox}><Lane /></OutboxProvider>)
  await act(async () => {
    for (const n of [1, 2]) await outbox.mutate.add({ id: '1', n })
    await outbox.idle()
  })
  expect(text()).toBe('1,2')
  const count = lists.length
  await act(async () => { await outbox.mutate.add({ id: '2', n: 3 }); await outbox.idle() })
  expect([text(), lists.length]).toEqual(['1,2', count])
})

test('useMutator is the same function in every render, and stores', async () => {
  const outbox = outboxOf({ add: answered() })
  const functions = new Set<unknown>()
  let send!: (args: object) => Promise<{ id: string }>
  function Button() {
    const [, again] = useState(0)
    send = useMutator('add', outbox) as never
    functions.add(send)
    return <button onClick={() => again((n) => n + 1)}>again</button>
  }
  await render(<Button />)
  await act(async () => container.querySelector('button')!.click())
  await act(async () => { await send({ id: '1' }); await outbox.idle() })
  expect(functions.size).toBe(1)
  expect(outbox.getSnapshot().items).toHaveLength(1)
})

test('without an outbox of its own a hook follows the default one, from before its start to after its end', async () => {
  let send!: (args: object) => Promise<unknown>
  function Status() {
    const { status, pendingCount } = useOutbox()
    send = useMutator('note') as never
    return <p>{status} {pendingCount}</p>
  }
  await render(<StrictMode><Status /></StrictMode>)
  expect(text()).toBe('inert 0')
  const note = answered()
  registerOfflineMutators({ note } as never)
  let outbox!: ReturnType<typeof startOfflineExecutor>
  await act(async () => {
    outbox = startOfflineExecutor({ storage: memoryAdapter(), leaderElection: 'none' })
    await outbox.ready
  })
  expect(text()).toBe('ready 0')
  await act(async () => { await send({ id: '1' }); await vi.waitFor(() => expect(note.waiting).toHaveLength(1)) })
  expect(text()).toBe('ready 1')
  await act(async () => { note.waiting.shift()!.resolve(); await vi.waitFor(() => expect(defaultOutbox().getSnapshot().items).toEqual([])) })
  expect(text()).toBe('ready 0')
  await act(() => outbox.dispose())
  expect(text()).toBe('stopped 0')
})

test('started and disposed by an effect: StrictMode loses nothing', async () => {
  const storage = memoryAdapter()
  registerOfflineMutators({ note: answered() } as never)
  function App() {
    React.useEffect(() => {
      const outbox = startOfflineExecutor({ name: 'strict', storage, leaderElection: 'none' })
      return () => void outbox.dispose()
    }, [])
    const { pendingCount } = useOutbox()
    const send = useMutator('note') as (args: object) => Promise<unknown>
    return <button onClick={() => void send({ id: '1' })}>{pendingCount}</button>
  }
  await render(<StrictMode><App /></StrictMode>)
  await act(async () => container.querySelector('button')!.click())
  await act(async () => { await vi.waitFor(() => expect(defaultOutbox().getSnapshot().status).toBe('ready')) })
  expect(text()).toBe('1')
  await act(async () => root!.unmount())
  root = undefined
  await new Promise((resolve) => setTimeout(resolve, 1_500))
})

test('on a server everything is empty, and the page that takes over agrees', async () => {
  const outbox = outboxOf({ add: answered() }, { online: false })
  await outbox.mutate.add({ id: '1' })
  await outbox.idle()
  const { id } = outbox.getSnapshot().items[0]
  function App() {
    const { status, pendingCount } = useOutbox()
    const { state } = useOutboxItem(id)
    const lane = useOutboxLane('1')
    useMutator('add')
    return <p>{status} {pendingCount} {state} {lane.length}</p>
  }
  const page = <OutboxProvider outbox={outbox}><App /></OutboxProvider>
  container.innerHTML = renderToString(page)
  expect(text()).toBe('inert 0 unknown 0')
  const errors = vi.spyOn(console, 'error')
  await act(async () => { root = hydrateRoot(container, page) })
  expect(text()).toBe('ready 1 waiting 1')
  expect(errors).not.toHaveBeenCalled()
})

test('no two components show different states', async () => {
  const outbox = outboxOf({ add: answered() }, { online: false })
  await outbox.idle()
  const torn: string[] = []
  function Pair() {
    const { items } = useOutbox()
    const lane = useOutboxLane('1')
    const { item } = useOutboxItem(items[0]?.id)
    if (lane.length !== items.length || item !== items[0]) torn.push(`${lane.length} ${items.length}`)
    return <p>{items.length}</p>
  }
  await render(<OutboxProvider outbox={outbox}><Pair /><Pair /></OutboxProvider>)
  await act(async () => {
    for (let n = 0; n < 20; n += 1) {
      void outbox.mutate.add({ id: '1', n })
      React.startTransition(() => root!.render(<OutboxProvider outbox={outbox}><Pair /><Pair /></OutboxProvider>))
      await Promise.resolve()
    }
    await outbox.idle()
  })
  expect([text(), torn]).toEqual(['2020', []])
})
