// Names, args and results from the registry; what JSON cannot carry is a type error.

import { registerOfflineMutators, createOutbox, defineMutators, type Attempt, type Json, type MutatorObject } from 'outbox-offline'
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const ok = <T extends true>() => {}
interface Todo { id: string; text: string; due?: string }
const mutators = defineMutators({
  addTodo: async ({ args, signal }: Attempt<Todo>) => { signal; return { id: args.id, rev: 1 } },
  ping: async (_: Attempt<undefined>) => 'pong' as const,
  toggle: { mutate: async ({ args }: Attempt<{ id: string; done: boolean }>) => args.done, optimistic(args) { const d: boolean = args.done; d }, timeout: 5 },
})
const o = createOutbox({ mutators })
const r = await o.mutate.addTodo({ id: '1', text: 'x' }); const s = await r.settled
ok<Equal<typeof s.result, { id: string; rev: number } | undefined>>()
const t = await (await o.mutate.toggle({ id: '1', done: true })).settled; ok<Equal<typeof t.result, boolean | undefined>>()
await o.mutate.ping()
const { createOfflineTransaction } = registerOfflineMutators(mutators)
const add = createOfflineTransaction({ mutatorName: 'addTodo' }); await add({ id: '1', text: 'y' })
// @ts-expect-error unknown name
createOfflineTransaction({ mutatorName: 'addTod' })
// @ts-expect-error wrong args
await add({ id: 1, text: 'y' })
// @ts-expect-error missing args
await add()
// @ts-expect-error Date is not JSON
createOutbox({ mutators: { bad: async (_: Attempt<{ id: string; at: Date }>) => {} } })
// @ts-expect-error nested function is not JSON
defineMutators({ bad: { mutate: async (_: Attempt<{ id: string; f: { cb: () => void } }>) => {} } })
// inference by object without annotation of optimistic's args: via MutatorObject
const typed: MutatorObject<Todo, void> = { mutate: async () => {}, optimistic(a) { a.text.length } }
createOutbox({ mutators: { typed } }).mutate.typed({ id: '1', text: 'q' })
// types that hold themselves, and the package's own
type Nested = string | Nested[]
const nesting = defineMutators({
  json: async ({ args }: Attempt<{ data: Json }>) => args.data,
  nested: async ({ args }: Attempt<Nested>) => args,
})
await createOutbox({ mutators: nesting }).mutate.json({ data: [{ a: null }] })
