// The app's mutators by name: what the core is told of them, their keys (R7), and upgrades of stored args (R23).

import { UnknownMutatorError, must } from './errors.js'
import { checkWhole } from './options.js'
import type { KeyLike, MutatorObject, Mutators } from './types.js'

/** `(mutatorName, args) => key`, asked for every mutator whose own `key` is missing or gives none (R7). */
export type KeyExtractor = (mutatorName: string, args: any) => KeyLike

/** What the core is told of a mutator: its `MutatorConfig`. */
export interface MutatorConfig {
  timeoutMs?: number
  barrier?: boolean
  idempotencyKey?: boolean
  maxAttempts?: { attempts: number; then: 'park' | 'drop' }
}

/** The registered mutators. A name that is registered again is replaced (hot reload). */
export class Registry {
  private readonly mutators = new Map<string, MutatorObject>()
  private readonly watchers = new Set<(name: string, config: MutatorConfig) => void>()
  keyExtractor: KeyExtractor | undefined

  register(mutators: Mutators): void {
    must(typeof mutators === 'object' && mutators !== null, 'mutators', 'an object of mutators by name')
    const checked = Object.entries(mutators).map(([name, mutator]) => [name, normalised(name, mutator)] as const)
    for (const [name, mutator] of checked) {
      this.mutators.set(name, mutator)
      for (const tell of this.watchers) tell(name, configOf(mutator))
    }
  }

  /** Tells every later registration, until the returned function is called. */
  watch(tell: (name: string, config: MutatorConfig) => void): () => void {
    this.watchers.add(tell)
    return () => this.watchers.delete(tell)
  }

  find(name: string): MutatorObject | undefined {
    return this.mutators.get(name)
  }

  expect(name: string): MutatorObject {
    const mutator = this.mutators.get(name)
    if (mutator === undefined) throw new UnknownMutatorError(name)
    return mutator
  }

  configs(): Record<string, MutatorConfig> {
    const configs: Record<string, MutatorConfig> = Object.create(null)
    for (const [name, mutator] of this.mutators) configs[name] = configOf(mutator)
    return configs
  }

  /** The key of a new item, as far as the call, the mutator or the extractor has one; else the core derives it (R7). */
  keyOf(name: string, args: unknown, given: KeyLike): string[] | undefined {
    const fromCall = keys(given)
    must(fromCall !== undefined || given === undefined || given === null, 'key', 'a string, an integer, or an array of these')
    return fromCall ?? keys(this.expect(name).key?.(args)) ?? keys(this.keyExtractor?.(name, args))
  }

  hasUpgrades(): boolean {
    return [...this.mutators.values()].some((mutator) => mutator.upgrade !== undefined)
  }
}

/** The lanes that the core will find in the args (R7): for what shows before it is there. */
export function ownKey(args: unknown): string[] | 'unknown' {
  const { id, ids } = (args ?? {}) as { id?: KeyLike; ids?: KeyLike }
  return keys(id) ?? keys(ids) ?? 'unknown'
}

/** The real keys in what a key function gave; undefined if there are none. */
function keys(given: KeyLike): string[] | undefined {
  const list = Array.isArray(given) ? given as readonly unknown[] : [given]
  const real = list.filter((key) => typeof key === 'string' || Number.isSafeInteger(key)).map(String)
  return real.length > 0 ? real : undefined
}

function normalised(name: string, mutator: Mutators[string]): MutatorObject {
  const where = `mutators.${name}`
  const object = typeof mutator === 'function' ? { mutate: mutator } : mutator
  must(typeof object === 'object' && typeof object?.mutate === 'function', where, 'a function, or an object with a function `mutate`')
  for (const hook of ['optimistic', 'confirmed', 'upgrade', 'key'] as const) {
    must(object[hook] === undefined || typeof object[hook] === 'function', `${where}.${hook}`, 'a function')
  }
  checkWhole(object.timeout, `${where}.timeout`)
  if (object.retry !== undefined) checkWhole(object.retry.maxAttempts ?? null, `${where}.retry.maxAttempts`)
  must(['park', 'drop', undefined].includes(object.retry?.then), `${where}.retry.then`, 'park or drop')
  return object
}

function configOf(mutator: MutatorObject): MutatorConfig {
  const config: MutatorConfig = {}
  if (mutator.timeout !== undefined) config.timeoutMs = mutator.timeout
  if (mutator.barrier === true) config.barrier = true
  if (mutator.idempotencyKey === true) config.idempotencyKey = true
  if (mutator.retry !== undefined) {
    config.maxAttempts = { attempts: mutator.retry.maxAttempts, then: mutator.retry.then ?? 'park' }
  }
  return config
}
