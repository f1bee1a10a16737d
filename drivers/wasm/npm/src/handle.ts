// The outbox as an app sees it: one object per open outbox, its calls and its state.

import type { CoreReply } from './core.js'
import type { Engine } from './engine.js'
import { UnsupportedError, must } from './errors.js'
import { type EventOf, type OutboxEvent } from './events.js'
import { toJson } from './json.js'
import { explanation, peeked } from './peek.js'
import { ownKey } from './registry.js'
import { serverSnapshot, Snapshots } from './snapshots.js'
import type {
  Explanation, FailureRecord, OutboxSnapshot, PeekedItem, Receipt, SendOptions, TransactionOptions, ViewChange,
} from './types.js'
import { uuid } from './uuid.js'

/** An open outbox. */
export interface Outbox {
  readonly name: string
  /** Resolves when the stored items are loaded; rejects if the store cannot be opened. After that has healed, a new promise. */
  readonly ready: Promise<void>
  /** Gives this start back; the last one stops the outbox. What is stored stays stored. */
  dispose(): Promise<void>

  /** All pending items in order, and why each is not being sent (R19). */
  peekOutbox(): Promise<PeekedItem[]>
  /** Exactly why an item is not being sent, and when that can next change; undefined if it is not pending here (R19). */
  explain(id: string): Explanation | undefined
  /** Takes an item out in any stage, durably; `false` if there is none (R18). */
  removeFromOutbox(id: string): Promise<boolean>

  /** What was refused for good, until it is retried or dismissed; oldest first (R15). */
  failures(): Promise<readonly FailureRecord[]>
  /** Makes a failure an item again, with a new id; `undefined` if there is no such failure (R15). */
  retryFailure(id: string): Promise<Receipt | undefined>
  /** Forgets a failure; `false` if there is none. */
  dismissFailure(id: string): Promise<boolean>

  /** Stops new dispatches in every tab, for a reason such as `'auth'`; kept over restarts (R20). */
  pause(reason: string): Promise<void>
  /** Takes the reason back; `false` if it was not given. */
  resume(reason: string): Promise<boolean>

  /** For `useSyncExternalStore`: calls back when `getSnapshot` gives something else. */
  subscribe(listener: () => void): () => void
  /** The state, immutable; the same object until something changes. */
  getSnapshot(): OutboxSnapshot
  /** What a server renders. */
  getServerSnapshot(): OutboxSnapshot
  /** The pending items as batches of changes, in the order of their happening; the present ones first, at once (R22). */
  observe(listener: (changes: readonly ViewChange[]) => void): () => void
  /** Events of one type, or all. */
  on<T extends OutboxEvent['type']>(type: T, listener: (event: EventOf<T>) => void): () => void
  on(listener: (event: OutboxEvent) => void): () => void

  /** What the core was told, as JSON, if `record` was on: to be replayed in a test. It holds args and results. */
  exportRecording(): string | undefined
}

/** The `Outbox` of an engine; `release` gives one start back. */
export class OutboxHandle implements Outbox {
  private readonly snapshots: Snapshots
  private disposed: Promise<void> | undefined

  constructor(private readonly engine: Engine, private readonly release: () => Promise<void>) {
    this.snapshots = snapshotsOf(engine)
  }

  get name(): string {
    return this.engine.name
  }

  get ready(): Promise<void> {
    return this.engine.ready
  }

  readonly dispose = (): Promise<void> => {
    this.disposed ??= this.release()
    return this.disposed
  }

  readonly peekOutbox = async (): Promise<PeekedItem[]> => {
    await this.whenOpen()
    return peeked(this.engine)
  }

  readonly explain = (id: string): Explanation | undefined => explanation(this.engine, id)

  readonly removeFromOutbox = async (id: string): Promise<boolean> => {
    const of = checkId(id)
    return isDone(await this.call((core, call) => core.remove(call, of)))
  }

  readonly failures = async (): Promise<readonly FailureRecord[]> => {
    await this.whenOpen()
    return this.snapshots.failures()
  }

  readonly retryFailure = async (id: string): Promise<Receipt | undefined> => {
    const of = checkId(id)
    const failure = (await this.failures()).find((record) => record.item.id === of)
    if (failure === undefined) return undefined
    const newId = uuid()
    const settled = this.engine.waiters.wait(newId, failure.item.mutatorName)
    const reply = await this.call((core, call) => core.retryFailure(call, of, newId)).catch((error: unknown) => {
      this.engine.waiters.forget(newId)
      throw error
    })
    this.snapshots.failuresChanged()
    if ('enqueued' in reply) return { id: newId, settled }
    this.engine.waiters.forget(newId)
    return undefined
  }

  readonly dismissFailure = async (id: string): Promise<boolean> => {
    const of = checkId(id)
    const reply = await this.call((core, call) => core.dismissFailure(call, of))
    this.snapshots.failuresChanged()
    return isDone(reply)
  }

  readonly pause = async (reason: string): Promise<void> => {
    const why = checkReason(reason)
    await this.call((core, call) => core.pause(call, why))
  }

  readonly resume = async (reason: string): Promise<boolean> => {
    const why = checkReason(reason)
    return isDone(await this.call((core, call) => core.resume(call, why)))
  }

  readonly subscribe = (listener: () => void): (() => void) => this.engine.subscribe(listener)
  readonly getSnapshot = (): OutboxSnapshot => this.snapshots.now()
  readonly getServerSnapshot = (): OutboxSnapshot => serverSnapshot
  readonly observe = (listener: (changes: readonly ViewChange[]) => void): (() => void) => this.engine.view.observe(listener)

  readonly on: Outbox['on'] = (...args: [string, (event: never) => void] | [(event: OutboxEvent) => void]) => {
    if (args.length === 1) return this.engine.listeners.add(args[0])
    const [type, listener] = args
    return this.engine.listeners.add((event) => {
      if (event.type === type) listener(event as never)
    })
  }

  /** Stores a mutation; for this package's own entry points. */
  readonly send = (mutatorName: string, args: unknown, options?: SendOptions): Promise<Receipt> =>
    enqueue(this.engine, { mutatorName }, args, options)

  readonly exportRecording = (): string | undefined => this.engine.session?.core.recording()

  private call(...[send]: Parameters<Engine['call']>): Promise<CoreReply> {
    refuseOnServer(this.engine)
    return this.engine.call(send)
  }

  private async whenOpen(): Promise<void> {
    if (this.engine.mode !== 'inert') await this.engine.whenLoaded()
  }
}

const snapshots = new WeakMap<Engine, Snapshots>()

/** Every handle of an engine gives the same snapshots. */
function snapshotsOf(engine: Engine): Snapshots {
  const known = snapshots.get(engine) ?? new Snapshots(engine)
  snapshots.set(engine, known)
  return known
}

/** Stores a mutation: shows it at once, resolves when it is durable (R1). */
export async function enqueue(
  engine: Engine, { mutatorName, enableIdempotencyKey }: TransactionOptions, args: unknown, options: SendOptions = {},
): Promise<Receipt> {
  refuseOnServer(engine)
  const { registry, waiters, view } = engine
  registry.expect(mutatorName)
  const argsText = toJson(args, 'args')
  const plainArgs: unknown = JSON.parse(argsText)
  const key = registry.keyOf(mutatorName, plainArgs, options.key)
  const keyText = key === undefined ? undefined : JSON.stringify(key)
  const metadataText = options.metadata === undefined ? undefined : toJson(options.metadata, 'metadata')
  const id = uuid()
  const idempotencyKey = checkIdempotencyKey(options.idempotencyKey) ?? (enableIdempotencyKey === true ? id : undefined)
  const settled = waiters.wait(id, mutatorName)
  const isEarly = engine.session === undefined && engine.mode !== 'stopped'
  const stored = engine.call((core, call) => {
    core.enqueue(call, id, mutatorName, argsText, keyText, idempotencyKey, metadataText)
  })
  if (isEarly) {
    const createdAt = engine.now()
    view.addEarly({
      id, seq: null, mutatorName, args: plainArgs, key: key ?? ownKey(plainArgs), createdAt, retryCount: 0, nextAttemptAt: createdAt, version: 1,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      ...(metadataText === undefined ? {} : { metadata: JSON.parse(metadataText) as Record<string, never> }),
    })
  }
  engine.flush()
  try {
    await stored
  } catch (error) {
    waiters.forget(id)
    view.dropEarly(id)
    throw error
  }
  return { id, settled } as Receipt
}

function refuseOnServer(engine: Engine): void {
  if (engine.mode !== 'inert') return
  throw new UnsupportedError('There is no IndexedDB here: on a server nothing can be stored. Call this in the browser, '
    + 'or give `storage` (in tests: createTestOutbox()).')
}

function isDone(reply: CoreReply): boolean {
  return 'done' in reply && reply.done
}

function checkId(id: unknown): string {
  must(typeof id === 'string', 'id', 'the id of an item: receipt.id, or one of peekOutbox()')
  return id
}

/** It is sent as a header: what a header cannot carry as it is would be refused, or changed, at every attempt. */
function checkIdempotencyKey(key: unknown): string | undefined {
  must(key === undefined || (typeof key === 'string' && /^(?! )[ -~]*(?<! )$/.test(key)), 'idempotencyKey',
    'a text of printable ASCII characters, with no space at an end: it is sent as a header')
  return key
}

function checkReason(reason: unknown): string {
  must(typeof reason === 'string', 'reason', 'a text, such as \'auth\'')
  return reason
}
