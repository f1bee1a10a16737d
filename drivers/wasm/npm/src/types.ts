// The public types, by hand. What a mutator takes and returns is inferred from the registry.

/** What JSON can carry. Properties that are `undefined` are left out, as `JSON.stringify` does. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined }

type NoJson = bigint | symbol | Date | RegExp | Error | Promise<unknown> | ((...args: never[]) => unknown)
  | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown> | ArrayBuffer | ArrayBufferView

/** `T` if JSON can carry it; else a type that is assignable from nothing and names the culprit. */
export type JsonArgs<T> = unknown extends T ? T
  // First, also because types that hold themselves, as `Json` does, need not be walked.
  : T extends Json | undefined ? T
  : T extends NoJson ? { 'outbox: JSON cannot carry this': T }
  : T extends readonly unknown[] ? { [K in keyof T]: number extends T['length'] ? Element<T[K]> : JsonArgs<T[K]> }
  : { [K in keyof T]: JsonArgs<T[K]> }

/** In an array `undefined` would become `null`. */
type Element<T> = unknown extends T ? T : undefined extends T ? { 'outbox: JSON cannot carry this': undefined } : JsonArgs<T>

/** One attempt to send one mutation: what a mutator gets. */
export interface Attempt<A = any> {
  /** What the app enqueued. */
  readonly args: A
  /** The item. */
  readonly id: string
  /** The attempt's number, from 1. */
  readonly attempt: number
  /** Aborted when the attempt is not waited for any longer: timeout (R14), removal, loss of leadership. */
  readonly signal: AbortSignal
  /** When the mutation was enqueued, in ms since 1970. */
  readonly createdAt: number
  /** When the attempt times out, in ms since 1970. */
  readonly deadline: number
  /** The same on every attempt with these args, after restarts too (R21). Undefined unless asked for. */
  readonly idempotencyKey: string | undefined
  /** What was given with the call; `{}` if nothing. */
  readonly metadata: Readonly<Record<string, Json>>
  /** The platform's `fetch` with the signal and the `Idempotency-Key` header; its network errors are retried (R12). */
  readonly fetch: typeof globalThis.fetch
}

/** Which item an `optimistic` function is run for. */
export interface OptimisticItem {
  readonly id: string
  /** Its place in the one order; `null` while it is being written. */
  readonly seq: number | null
  /** Whether it was stored before this page was loaded. */
  readonly replay: boolean
}

/** When to give up, and how (R16). The default is never. */
export interface GiveUp {
  /** After so many attempts: at least 1. */
  readonly maxAttempts: number
  /** `'park'` (the default) holds the item and its lanes back; `'drop'` leaves a failure record. */
  readonly then?: 'park' | 'drop'
}

/** A mutator with settings. */
export interface MutatorObject<A = any, R = any> {
  /** Performs the write. What it returns (JSON, at most 64 KiB for other tabs) is told to the waiter. */
  mutate(attempt: Attempt<A>): Promise<R> | R
  /** What the mutation does to the app's state: for view layers, which call it; synchronous, and fit to be run again. */
  optimistic?(args: A, item: OptimisticItem): void
  /** Runs in every tab once the item is committed, before it leaves the view; at most 5 s. */
  confirmed?(result: R | undefined, args: A, signal: AbortSignal): Promise<void> | void
  /** Brings args stored by an older build into today's form. It also gets today's, and gives them back as they are (R23). */
  upgrade?(args: any): A
  /** The scheduling key (R7): items that share one are sent one after the other. */
  key?(args: A): KeyLike
  /** Waits for every item before it, and holds every item after it (R7). */
  readonly barrier?: boolean
  /** Of one attempt, in ms (R14): 1 to 86,400,000; default: the outbox's. */
  readonly timeout?: number
  /** Whether each item gets an idempotency key (R21). */
  readonly idempotencyKey?: boolean
  /** When to give up (R16). */
  readonly retry?: GiveUp
}

/** A key, several, or none: the next rule of R7 is asked. Numbers must be integers within ±(2^53−1). */
export type KeyLike = string | number | readonly (string | number)[] | null | undefined

/** Mutators by name. The name is stored with every item: it must never change its meaning. */
export type Mutators = { [name: string]: ((attempt: Attempt) => unknown) | MutatorObject }

type Signature<M> = M extends (attempt: infer C) => infer R ? [C, R]
  : M extends { mutate(attempt: infer C): infer R } ? [C, R] : never
/** The args that a mutator takes. */
export type ArgsOf<M> = Signature<M>[0] extends { args: infer A } ? A : any
/** What a mutator returns. */
export type ResultOf<M> = Awaited<Signature<M>[1]>
/** `T`, with a type error at each mutator whose args JSON cannot carry. */
export type Check<T extends Mutators> = {
  [K in keyof T]: ArgsOf<T[K]> extends JsonArgs<ArgsOf<T[K]>> ? T[K]
    : { 'outbox: args are not JSON': JsonArgs<ArgsOf<T[K]>> }
}

/** How a mutation ended well. */
export interface Settled<R> {
  /** `'gone'`: it is no longer stored and left no failure record; another tab committed or removed it. */
  readonly status: 'committed' | 'gone'
  /** What the mutator returned. */
  readonly result: R | undefined
  /** Whether `result` is what the mutator returned: another tab may have sent it, and only told small results. */
  readonly resultKnown: boolean
}

/** A stored mutation. Not thenable, so that `await` gives it back. */
export interface Receipt<R = unknown> {
  readonly id: string
  /** Rejects with an `OutboxError` if the mutation was refused or removed. Unobserved, it raises nothing. */
  readonly settled: Promise<Settled<R>>
}

/** Settings of one call. */
export interface SendOptions {
  /** Goes before every other rule for keys (R7). */
  readonly key?: KeyLike
  /** An object to keep with the item: no secrets. */
  readonly metadata?: Readonly<Record<string, Json>>
  /** Instead of one that the outbox makes (R21): 1 to 256 bytes. */
  readonly idempotencyKey?: string
}

/** Stores a mutation; resolves when it is durable, not when it is sent (R1). */
export type Send<A, R> = (
  ...call: unknown extends A ? [args?: any, options?: SendOptions]
    : undefined extends A ? [args?: A, options?: SendOptions]
    : [args: A, options?: SendOptions]
) => Promise<Receipt<R>>

/** What `createOfflineTransaction` takes. */
export interface TransactionOptions<N extends string = string> {
  readonly mutatorName: N
  /** Each item of this transaction gets an idempotency key (R21). */
  readonly enableIdempotencyKey?: boolean
}

/** `createOfflineTransaction` over the mutators `M`. */
export type CreateTransaction<M extends Mutators> = <N extends keyof M & string>(
  options: TransactionOptions<N>,
) => Send<ArgsOf<M[N]>, ResultOf<M[N]>>

/**
 * Tells `createOfflineTransaction` your mutators:
 * `declare module 'outbox-offline' { interface Register { mutators: typeof mutators } }`.
 */
export interface Register {}
/** The mutators told by `Register`; else any. */
export type Registered = Register extends { mutators: infer M extends Mutators } ? M : Mutators

/** What is kept of an error (R25). */
export interface SerializedError {
  readonly name: string
  readonly message: string
}

/** One stored mutation. */
export interface Item<A = unknown> {
  readonly id: string
  /** Its place in the one order (R3); `null` while it is being written. */
  readonly seq: number | null
  readonly mutatorName: string
  readonly args: A
  /** Its lanes; the bare string `'unknown'` is the lane of items without a key. */
  readonly key: readonly string[] | 'unknown'
  readonly idempotencyKey?: string
  /** When it was enqueued, in ms since 1970. */
  readonly createdAt: number
  /** Attempts claimed so far (R2, R25). */
  readonly retryCount: number
  /** Not sent before this, in ms since 1970. */
  readonly nextAttemptAt: number
  readonly lastError?: SerializedError
  readonly lastClass?: 'transport' | 'server' | 'non-retriable'
  /** A floor that the server set with `Retry-After`, in ms since 1970 (R11). */
  readonly retryAfter?: number
  readonly metadata?: Readonly<Record<string, Json>>
  readonly version: number
}

/** An item of the optimistic view. */
export interface PendingItem<A = unknown> extends Item<A> {
  /** As this tab knows it. `sending`: by this tab; `confirming`: committed, and its mutator's `confirmed` is awaited. */
  readonly state: 'writing' | 'waiting' | 'sending' | 'confirming'
}

/** Why an item is not being sent right now, or that it is (R19). */
export interface Explanation {
  readonly reason: Reason
  /** The same for people. */
  readonly words: string
  /** When this can next change by itself, in ms since 1970; `null`: something else must happen first. */
  readonly until: number | null
}

/** The first reason that holds, in this order. */
export type Reason =
  | { readonly kind: 'writing' | 'settling' | 'removing' | 'claiming' | 'follower' | 'loading' | 'backoff' | 'hook'
      | 'offline' | 'concurrency' | 'storeFull' | 'ready' | 'notStarted' | 'confirming' }
  | { readonly kind: 'inFlight'; readonly attempt: number; readonly since: number }
  | { readonly kind: 'parked'; readonly why: ParkReason }
  | { readonly kind: 'paused'; readonly reasons: readonly string[] }
  | { readonly kind: 'behind'; readonly id: string; readonly seq: number; readonly lane: string }

/** Why an item is held back until a named condition changes (R16, R23). */
export type ParkReason = 'unregistered' | 'unreadable' | { readonly newerVersion: { readonly version: number } }
  | { readonly attempts: { readonly attempts: number } }

/** What `peekOutbox` tells of an item. */
export interface PeekedItem<A = unknown> extends Item<A> {
  readonly explanation: Explanation
}

/** What a mutation that was refused for good leaves behind until it is retried or dismissed (R15). */
export interface FailureRecord<A = unknown> {
  /** When it was dropped, in ms since 1970. */
  readonly failedAt: number
  readonly error: SerializedError
  /** The item as it was; its id names the record. */
  readonly item: Item<A>
}

/** An item that `beforeRetry` is asked about. Change `args`, `key` or `metadata` only. */
export interface RetryItem {
  readonly id: string
  readonly seq: number
  readonly mutatorName: string
  args: any
  key: string | readonly string[]
  metadata?: Readonly<Record<string, Json>>
  readonly idempotencyKey?: string
  readonly createdAt: number
  readonly retryCount: number
  readonly nextAttemptAt: number
  readonly lastError?: SerializedError
  readonly version: number
  /** Whether the server can have seen it: rewriting a `'maybe'` item can apply both (R17). */
  readonly sent: 'never' | 'maybe'
}

/** The hook (R17): left out = removed, changed = rewritten; `squash` merges. At most 10 s. */
export type BeforeRetry = (items: RetryItem[]) => readonly RetryItem[] | Promise<readonly RetryItem[]>

/** A connectivity detector of one's own. It is a hint: while offline, one probe a minute goes out (R8). */
export interface OnlineDetector {
  isOnline(): boolean
  /** Calls back on each change, until the returned function is called. */
  subscribe(changed: (online: boolean) => void): () => void
}

/** The state for views: immutable, and the same object until something changes. */
export interface OutboxSnapshot {
  /** `failed`: the store could not be opened; see `error`. `inert`: on a server. */
  readonly status: 'idle' | 'starting' | 'ready' | 'failed' | 'stopped' | 'inert'
  /** Why the store could not be opened, or does not work now. */
  readonly error: Error | undefined
  /** The optimistic view's items, in order: those being written last (R22). */
  readonly items: readonly PendingItem[]
  readonly failures: readonly FailureRecord[]
  readonly online: boolean
  /** Whether this tab is the one that sends. */
  readonly leading: boolean
  /** The reasons given to `pause`; empty: not paused. */
  readonly paused: readonly string[]
}

/** One change of the optimistic view (R22). */
export type ViewChange =
  /** An item appeared, got its seq, or its args changed. */
  | { readonly kind: 'set'; readonly item: PendingItem; readonly replay: boolean }
  /** An item left, after `confirmed`. `outcome` is undefined if its write failed. */
  | { readonly kind: 'left'; readonly item: PendingItem; readonly outcome: Outcome | undefined }

/** How an item ended. */
export type Outcome =
  | { readonly kind: 'committed'; readonly result: Json | undefined }
  | { readonly kind: 'dropped'; readonly error: SerializedError }
  | { readonly kind: 'squashed'; readonly into: string }
  | { readonly kind: 'removed' | 'gone' }
