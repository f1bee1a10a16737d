// `Register`: the app tells its mutators once, and `createOfflineTransaction` knows them everywhere.

import { createOfflineTransaction, defineMutators, type Attempt } from 'outbox-offline'
const mutators = defineMutators({ add: async ({ args }: Attempt<{ id: string }>) => args.id.length, obj: { mutate: async (_: Attempt<{ id: string; n: number }>) => 'x' } })
declare module 'outbox-offline' { interface Register { mutators: typeof mutators } }
const n = await (await createOfflineTransaction({ mutatorName: 'add' })({ id: 'a' })).settled
const l: number | undefined = n.result
const q = await (await createOfflineTransaction({ mutatorName: 'obj' })({ id: 'a', n: 1 })).settled; const z: string | undefined = q.result
// @ts-expect-error
createOfflineTransaction({ mutatorName: 'nope' })
// @ts-expect-error
createOfflineTransaction({ mutatorName: 'obj' })({ id: 'a' })
