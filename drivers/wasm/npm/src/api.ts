// The package's functions, over one way to load the wasm: each entry point makes them with its own.

import { openChannel } from '../../js/channel.js'
import { defaults } from './defaults.js'
import { Engine, stoppedError } from './engine.js'
import { AlreadyOpenError, InputError } from './errors.js'
import { OutboxHandle, enqueue, type Outbox } from './handle.js'
import { DEFAULT_NAME, checkOptions, realTime, type OutboxOptions, type Platform } from './options.js'
import type { LoadCore } from './core.js'
import { Registry } from './registry.js'
import { indexedDbAdapter } from './storage/indexeddb.js'
import { adapterOf, type Storage, type StorageAdapter } from './storage/types.js'
import type {
  ArgsOf, Check, CreateTransaction, Mutators, Receipt, Registered, ResultOf, Send, SendOptions, TransactionOptions,
} from './types.js'

/** An outbox with its mutators as methods. */
export type TypedOutbox<M extends Mutators> = Outbox & {
  readonly mutate: { readonly [N in keyof M & string]: Send<ArgsOf<M[N]>, ResultOf<M[N]>> }
  readonly createOfflineTransaction: CreateTransaction<M>
}

/** What `registerOfflineMutators` gives back. */
export interface Registration<M extends Mutators> {
  /** `createOfflineTransaction`, typed by these mutators. */
  readonly createOfflineTransaction: CreateTransaction<M>
}

/** The open outboxes of this page by name, and how many starts each has. */
const open = new Map<string, { engine: Engine; starts: number }>()

/** What still ends an outbox, or deletes it, by its name. */
const ending = new Map<string, { readonly ended: Promise<void>; readonly isDeleted: boolean }>()

/** Whoever opens the same outbox next waits for it, if it is deleted, or if its store has to be left first. */
function end(name: string, work: Promise<void>, isDeleted: boolean): Promise<void> {
  const before = ending.get(name)
  const ended = Promise.allSettled([before?.ended, work]).then(() => {
    if (ending.get(name)?.ended === ended) ending.delete(name)
  })
  ending.set(name, { ended, isDeleted: isDeleted || before?.isDeleted === true })
  return work
}

/** No IndexedDB and no page: a server that renders. */
function isServer(): boolean {
  return globalThis.indexedDB === undefined && globalThis.document === undefined
}

/** The engine of that name; made if it is not there. */
function engineOf(name: string, storage: Storage | undefined, registry: Registry, load: LoadCore, platform: Platform): Engine {
  const known = open.get(name)?.engine
  if (known !== undefined && known.mode !== 'stopped') {
    if (storage !== undefined && adapterOf(storage).location !== known.adapter.location) {
      throw new AlreadyOpenError(`The outbox ${JSON.stringify(name)} is open on another store (${known.adapter.location}). `
        + 'An enqueue before start opens the default one: start first, or dispose it first.')
    }
    return known
  }
  const adapter = adapterOf(storage ?? indexedDbAdapter())
  const before = ending.get(name)
  const mustWait = before?.isDeleted === true || !(adapter.overlaps ?? adapter.shared)
  const engine = new Engine(name, adapter, registry, load, platform, mustWait ? before?.ended : undefined)
  if (storage === undefined && isServer()) engine.mode = 'inert'
  else open.set(name, { engine, starts: 0 })
  return engine
}

/** One more start; the handle gives it back. */
function started(engine: Engine, options: OutboxOptions): OutboxHandle {
  if (engine.mode !== 'inert') engine.start(options)
  const entry = open.get(engine.name)
  if (entry !== undefined) entry.starts += 1
  return new OutboxHandle(engine, () => release(engine))
}

/** The last start's end stops the outbox, unless it is started again in the same turn. */
async function release(engine: Engine): Promise<void> {
  const entry = open.get(engine.name)
  if (entry?.engine !== engine) return
  entry.starts -= 1
  await new Promise<void>((resolve) => { realTime.after(0, resolve) })
  if (entry.starts > 0) return
  await end(engine.name, engine.stop(), false)
  if (open.get(engine.name) === entry) open.delete(engine.name)
}

/** The default outbox for a call: one that is not open yet is opened, and dispatches nothing before start. */
function defaultEngine(load: LoadCore): Engine {
  defaults.engine ??= engineOf(DEFAULT_NAME, undefined, defaults.registry, load, realTime)
  if (defaults.engine.mode === 'stopped') throw stoppedError(defaults.engine.name)
  defaults.engine.stage()
  return defaults.engine
}

function checkTransaction(options: TransactionOptions): void {
  if (typeof options?.mutatorName !== 'string') {
    throw new InputError('createOfflineTransaction needs `{ mutatorName }`, the name of a registered mutator.', 'mutatorName')
  }
}

/** The functions of the default outbox, and `createOutbox`. */
export function makeApi(load: LoadCore) {
  defaults.open ??= () => defaultEngine(load)

  const createOfflineTransaction = (options: TransactionOptions) => {
    checkTransaction(options)
    return async (args?: unknown, call?: SendOptions): Promise<Receipt> => enqueue(defaultEngine(load), options, args, call)
  }

  function registerOfflineMutators<M extends Mutators>(mutators: M & Check<M>): Registration<M> {
    defaults.registry.register(mutators)
    return { createOfflineTransaction: createOfflineTransaction as unknown as CreateTransaction<M> }
  }

  function startOfflineExecutor(options: OutboxOptions = {}): Outbox {
    checkOptions(options)
    const { engine: known } = defaults
    const name = options.name ?? DEFAULT_NAME
    if (known !== undefined && known.mode !== 'stopped' && known.mode !== 'inert' && known.name !== name) {
      throw new AlreadyOpenError(`The default outbox is open as ${JSON.stringify(known.name)}; dispose that before you start it as `
        + `${JSON.stringify(name)}. For several outboxes at once there is createOutbox({ name, mutators }).`)
    }
    const engine = engineOf(name, options.storage, defaults.registry, load, realTime)
    if (engine.registry !== defaults.registry) {
      throw new AlreadyOpenError(`The outbox ${JSON.stringify(name)} is open with mutators of its own, by createOutbox: use what that gave `
        + 'you, or another name.')
    }
    defaults.engine = engine
    return started(engine, options)
  }

  function createOutbox<M extends Mutators>(options: OutboxOptions & { readonly mutators: M & Check<M> }): TypedOutbox<M> {
    const { mutators, ...rest } = options
    return createOutboxOn(realTime, mutators, rest) as TypedOutbox<M>
  }

  function createOutboxOn(platform: Platform, mutators: Mutators, rest: OutboxOptions): TypedOutbox<Mutators> {
    checkOptions(rest)
    const name = rest.name ?? DEFAULT_NAME
    const registry = name === DEFAULT_NAME ? defaults.registry : open.get(name)?.engine.registry ?? new Registry()
    registry.register(mutators)
    const engine = engineOf(name, rest.storage, registry, load, platform)
    const handle = started(engine, rest)
    const transaction = (options: TransactionOptions) => {
      checkTransaction(options)
      return (args?: unknown, call?: SendOptions) => enqueue(engine, options, args, call)
    }
    const mutate = Object.fromEntries(Object.keys(mutators).map((mutatorName) => [mutatorName, transaction({ mutatorName })]))
    return Object.assign(handle, { mutate, createOfflineTransaction: transaction }) as unknown as TypedOutbox<Mutators>
  }

  return {
    registerOfflineMutators,
    createOfflineTransaction: createOfflineTransaction as unknown as CreateTransaction<Registered>,
    startOfflineExecutor,
    createOutbox,
    createOutboxOn,
    /** The default outbox's calls, without a start of their own. */
    outbox: (): Outbox => new OutboxHandle(defaultEngine(load), async () => undefined),
  }
}

/**
 * Deletes all that is stored under a name (logout). An outbox that is open here is stopped first; other tabs that have
 * it open notice, and find nothing.
 */
export async function deleteOutbox(name: string = DEFAULT_NAME, options: { readonly storage?: Storage } = {}): Promise<void> {
  const entry = open.get(name)
  const adapter = options.storage === undefined ? entry?.engine.adapter ?? indexedDbAdapter() : adapterOf(options.storage)
  const stopAndDestroy = async () => {
    await entry?.engine.stop(true)
    if (entry !== undefined && open.get(name) === entry) open.delete(name)
    const connection = adapter.connect()
    if (connection.destroy === undefined) {
      throw new InputError('The store has no `destroy(name)`: delete its data yourself.', 'storage')
    }
    await connection.destroy(name)
    tellOthers(name, adapter)
  }
  await end(name, stopAndDestroy(), true)
}

/** Other tabs look at once, and find nothing. */
function tellOthers(name: string, adapter: StorageAdapter): void {
  const channel = adapter.shared ? openChannel(name) : undefined
  channel?.post('{"poke":"unknown"}')
  channel?.close()
}

/** Identity, with types: for a registry in a file of its own. */
export function defineMutators<const M extends Mutators>(mutators: M & Check<M>): M {
  return mutators
}
