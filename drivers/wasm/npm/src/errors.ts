// The errors: each has a `code`, and says what happened, where, and what to do. Errors of mutators are told by
// brand, so that a second copy of this package, or another realm, is understood (R12).

import type { SerializedError } from './types.js'

/** The brand's property; its value says what becomes of the item. */
export const BRAND: unique symbol = Symbol.for('outbox-offline.class') as never

/** How an attempt failed (R12). */
export type ErrorClass = 'transport' | 'retry' | 'non-retriable'

/** What every error of this package is. */
export class OutboxError extends Error {
  override name = 'OutboxError'
  /** For code; never changes its meaning. */
  readonly code: string
  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options as ErrorOptions)
    this.code = code
  }
}

/** Bad input; nothing happened. `field` is its path, such as `args.visit.photos[2]` (R32). */
export class InputError extends OutboxError {
  override name = 'InputError'
  readonly field: string | undefined
  constructor(message: string, field?: string, code = 'input') {
    super(code, message)
    this.field = field
  }
}

/** Refuses what is not as it must be (R32). */
export function must(holds: boolean, field: string, be: string): asserts holds {
  if (!holds) throw new InputError(`\`${field}\` must be ${be}.`, field)
}

/** No mutator of that name is registered. */
export class UnknownMutatorError extends InputError {
  override name = 'UnknownMutatorError'
  constructor(name: string) {
    super(`No mutator is registered as ${JSON.stringify(name)}. Call registerOfflineMutators({ ${
      /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name)}: … }) first, or correct the name.`,
    'mutatorName', 'unknown-mutator')
  }
}

/** The outbox is open already, under another name or on another store. */
export class AlreadyOpenError extends OutboxError {
  override name = 'AlreadyOpenError'
  constructor(message: string) {
    super('already-open', message)
  }
}

/** The outbox was stopped; what is stored stays stored. */
export class StoppedError extends OutboxError {
  override name = 'StoppedError'
  constructor(message: string) {
    super('stopped', message)
  }
}

/** What went wrong with a store: `full`, `unavailable`, `fenced`: nothing was written; `unknown`: it may have been. */
export type StorageProblem = 'full' | 'fenced' | 'unknown' | 'unavailable'

/** The store refused or failed. Stores of one's own reject with it, or with anything that has such a `code`. */
export class StorageError extends OutboxError {
  override name = 'StorageError'
  declare readonly code: StorageProblem
  constructor(code: StorageProblem, message: string, options?: { cause?: unknown }) {
    super(code, message, options)
  }
}

/** Something that this platform lacks was asked for. */
export class UnsupportedError extends OutboxError {
  override name = 'UnsupportedError'
  constructor(message: string, options?: { cause?: unknown }) {
    super('unsupported', message, options)
  }
}

/** `receipt.settled` of a mutation that was refused for good (R15). Its failure record stays until dismissed. */
export class DroppedError extends OutboxError {
  override name = 'DroppedError'
  /** The item; names the failure record. */
  readonly id: string
  /** What the mutator threw, as it is stored. */
  readonly error: SerializedError
  constructor(id: string, mutatorName: string, error: SerializedError, cause?: unknown) {
    super('dropped', `${mutatorName} ${id} was refused for good: ${error.name}: ${error.message}. `
      + 'See failures(); retryFailure(id) sends it again, dismissFailure(id) forgets it.', { cause })
    this.id = id
    this.error = error
  }
}

/** `receipt.settled` of a mutation that was taken out by `removeFromOutbox` or `beforeRetry` (R17, R18). */
export class RemovedError extends OutboxError {
  override name = 'RemovedError'
  readonly id: string
  constructor(id: string) {
    super('removed', `${id} was taken out of the outbox before it was committed.`)
    this.id = id
  }
}

/** Thrown by a mutator: drops the item at once, with a failure record (R15). */
export class NonRetriableError extends OutboxError {
  override name = 'NonRetriableError'
  readonly [BRAND]: ErrorClass = 'non-retriable'
  constructor(message: string, options?: { cause?: unknown }) {
    super('non-retriable', message, options)
  }
}

/** When to try again at the earliest: seconds, a date, or the text of a `Retry-After` header (R11). */
export type RetryAfter = number | Date | string

/** Thrown by a mutator: tried again, not before `retryAfter` (R11). */
export class RetryError extends OutboxError {
  override name = 'RetryError'
  readonly [BRAND]: ErrorClass = 'retry'
  readonly retryAfter: RetryAfter | undefined
  /** The answer's `Date` header: a `retryAfter` that is a date is taken by the server's clock. */
  readonly serverDate: string | undefined
  constructor(message: string, options: { retryAfter?: RetryAfter; serverDate?: string; cause?: unknown } = {}) {
    super('retry', message, options)
    this.retryAfter = options.retryAfter
    this.serverDate = options.serverDate
  }
}

/** No answer came: tried again, and other attempts slow down until one is answered (R9, R12). */
export class TransportError extends OutboxError {
  override name = 'TransportError'
  readonly [BRAND]: ErrorClass = 'transport'
  constructor(message: string, options?: { cause?: unknown }) {
    super('transport', message, options)
  }
}

/** What a thrown value's brand says; unbranded ones are tried again (R12). */
export function classOf(thrown: unknown): ErrorClass {
  if (typeof thrown !== 'object' || thrown === null) return 'retry'
  const brand = readable(() => (thrown as { [BRAND]?: unknown })[BRAND], undefined)
  return brand === 'transport' || brand === 'non-retriable' ? brand : 'retry'
}

/** Name and message of a thrown value: no stack, no fields (R25). */
export function serialized(thrown: unknown): SerializedError {
  return readable(() => {
    if (typeof thrown !== 'object' || thrown === null || !('message' in thrown)) return { name: 'Error', message: String(thrown) }
    const { name, message } = thrown as { name?: unknown; message?: unknown }
    return { name: typeof name === 'string' && name !== '' ? name : 'Error', message: String(message) }
  }, { name: 'Error', message: 'something was thrown that cannot be read' })
}

/** What `read` gives of a thrown value; that may have getters that throw, or no text. */
export function readable<T>(read: () => T, otherwise: T): T {
  try {
    return read()
  } catch {
    return otherwise
  }
}
