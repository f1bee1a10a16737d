// What the outbox tells its listeners.

import type { CoreOutcome, CoreStorageError } from './core.js'
import { OutboxError, type StorageError } from './errors.js'
import { storageError } from './session.js'
import type { Outcome, ParkReason, SerializedError } from './types.js'
import { outcomeOf } from './view.js'

/** Something worth telling. */
export type OutboxEvent =
  /** The item's outcome is known; for a commit at the server's answer, before the item is durably gone (R29). */
  | { readonly type: 'resolved'; readonly id: string; readonly outcome: Outcome }
  /** The item is durably gone. */
  | { readonly type: 'settled'; readonly id: string; readonly seq: number; readonly outcome: Outcome }
  /** An attempt failed and will be repeated (or parked). */
  | { readonly type: 'attemptFailed'; readonly id: string; readonly attempt: number; readonly error: SerializedError
      readonly nextAttemptAt: number }
  /** An item has failed ten times (R16). */
  | { readonly type: 'stuck'; readonly id: string; readonly attempts: number }
  /** An item is parked (R16), or the first of its mutator or version is (R23). */
  | { readonly type: 'parked'; readonly id: string; readonly mutatorName: string; readonly reason: ParkReason }
  /** A record cannot be read (R24): it stays stored byte for byte. */
  | { readonly type: 'quarantined'; readonly seq: number; readonly record: Uint8Array; readonly problem: string }
  /** A failure record made way for newer ones or for space (R5, R15). */
  | { readonly type: 'failureEvicted'; readonly id: string }
  /** `beforeRetry` threw (`error` is what it threw), was late, or its answer was not accepted; it is asked again (R17). */
  | { readonly type: 'hookFailed'; readonly error: unknown }
  /** This tab leads, or no longer does (R26). */
  | { readonly type: 'leading'; readonly leading: boolean }
  /** Storage failed; what it was asked is repeated, or its caller told (R4, R5). */
  | { readonly type: 'storageFailed'; readonly error: StorageError }
  /** Storage works again. */
  | { readonly type: 'storageRecovered' }
  /** The pause reasons changed; empty: not paused (R20). */
  | { readonly type: 'paused'; readonly reasons: readonly string[] }
  /** `confirmed` threw or took longer than 5 s: the item left the view without it. */
  | { readonly type: 'confirmFailed'; readonly id: string; readonly error: unknown }
  /** A mutator's `upgrade` threw: its item stays as it was stored (R23). */
  | { readonly type: 'upgradeFailed'; readonly id: string; readonly mutatorName: string; readonly error: unknown }
  /** A mutator's `optimistic` threw: its item shows nothing until that can change. Told once per item. */
  | { readonly type: 'optimisticFailed'; readonly id: string; readonly mutatorName: string; readonly error: unknown }
  /** The view layer works, but not in its best way; `error` says why, and what that means. */
  | { readonly type: 'viewDegraded'; readonly error: Error }
  /** The settings of a mutator that was registered after the start were refused. */
  | { readonly type: 'registerFailed'; readonly mutatorName: string; readonly error: unknown }

/** Events by type. */
export type EventOf<T extends OutboxEvent['type']> = Extract<OutboxEvent, { type: T }>

/** The core's event as one of ours. */
export function eventOf(text: string): OutboxEvent {
  const event = JSON.parse(text) as string | Record<string, unknown>
  const [type, detail] = typeof event === 'string' ? [event, {}] : Object.entries(event)[0] ?? ['unknown', {}]
  switch (type) {
    case 'leading': return { type, leading: detail as boolean }
    case 'hookFailed': return { type, error: new OutboxError('hook-failed', `beforeRetry did not answer as it should: ${JSON.stringify(detail)}`) }
    case 'storageFailed': return { type, error: failure(detail as CoreStorageError) }
    case 'quarantined': {
      const { seq, record, problem } = detail as { seq: number; record: number[]; problem: string }
      return { type, seq, record: Uint8Array.from(record), problem }
    }
  }
  const fields: Record<string, unknown> = { type }
  for (const [name, value] of Object.entries(detail as object)) {
    const camel = name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
    fields[camel] = camel === 'outcome' ? outcomeOf(value as CoreOutcome) : value
  }
  return fields as unknown as OutboxEvent
}

function failure(error: CoreStorageError): StorageError {
  const words = { full: 'The store is full: free space, or raise the quota.', fenced: 'Another tab leads this outbox.',
    unknown: 'The store cannot tell whether the write was committed.' }
  return storageError(error, typeof error === 'string' ? words[error] : `The store is not available: ${error.unavailable.cause}`)
}

/** Listeners; one that throws is reported and harms nobody else. */
export class Listeners {
  private readonly all = new Set<(event: OutboxEvent) => void>()

  add(listener: (event: OutboxEvent) => void): () => void {
    this.all.add(listener)
    return () => this.all.delete(listener)
  }

  tell(event: OutboxEvent): void {
    for (const listener of [...this.all]) guarded(() => listener(event))
  }
}

/** Runs a callback of the app; what it throws is reported as if nobody had called it. */
export function guarded(run: () => void): void {
  try {
    run()
  } catch (error) {
    if (typeof reportError === 'function') reportError(error)
    else queueMicrotask(() => { throw error })
  }
}
