// `mutator`: an identity that types a mutator's other functions by its `mutate`.

import type { Attempt, MutatorObject } from './types.js'

/** Identity; lets `optimistic`, `key`, `confirmed` infer args and result from `mutate` alone. */
export function mutator<A, R>(
  settings: { mutate(attempt: Attempt<A>): Promise<R> | R } & Omit<MutatorObject<NoInfer<A>, NoInfer<R>>, 'mutate'>,
): MutatorObject<A, R> {
  return settings
}
