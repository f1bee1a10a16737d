// The mutator object: args and results are inferred from `mutate` alone.

import { defineMutators, mutator, createOutbox, type Attempt } from 'outbox-offline'
const m = defineMutators({ toggle: mutator({ mutate: async ({ args }: Attempt<{ id: string; done: boolean }>) => args.done, key: a => a.id, optimistic(args) {
  // @ts-expect-error args is inferred, not any
  const bad: string = args.done } }), f: async ({ args }: Attempt<{ id: string }>) => 1 })
const o = createOutbox({ mutators: m })
const s = await (await o.mutate.f({ id: '' })).settled; const n: number | undefined = s.result
const s2 = await (await o.mutate.toggle({ id: '', done: true })).settled
// @ts-expect-error
const str: string | undefined = s.result
// @ts-expect-error
const str2: string | undefined = s2.result
// @ts-expect-error mutator() args not JSON
defineMutators({ b: mutator({ mutate: async (_: Attempt<{ d: Date }>) => 1 }) })
