// What both entry points export besides the functions that load the wasm.

export { defineMutators, deleteOutbox, type Registration, type TypedOutbox } from './api.js'
export type { WasmSource } from './core.js'
export {
  AlreadyOpenError, DroppedError, InputError, NonRetriableError, OutboxError, RemovedError, RetryError, StoppedError, StorageError,
  TransportError, UnknownMutatorError, UnsupportedError, type RetryAfter, type StorageProblem,
} from './errors.js'
export type { EventOf, OutboxEvent } from './events.js'
export type { Outbox } from './handle.js'
export type { ConnectedView, OutboxView, ViewEvent, ViewSource } from './view-port.js'
export { squash } from './hook.js'
export { responseError } from './http.js'
export { mutator } from './mutator.js'
export type { OutboxOptions } from './options.js'
export type { LeaderElection, LeadershipEvents } from './ports.js'
export type { KeyExtractor } from './registry.js'
export { indexedDbAdapter, type IndexedDbOptions } from './storage/indexeddb.js'
export { kvStore, type KeyValue } from './storage/kv.js'
export { memoryAdapter } from './storage/memory.js'
export type {
  Committed, Fence, OutboxStorage, Scope, Snapshot, Storage, StorageAdapter, Write, WriteResult,
} from './storage/types.js'
export type { TestOptions, TestOutbox } from './testing.js'
export type {
  ArgsOf, Attempt, BeforeRetry, Check, CreateTransaction, Explanation, FailureRecord, GiveUp, Item, Json, JsonArgs, KeyLike,
  MutatorObject, Mutators, OnlineDetector, OptimisticItem, Outcome, OutboxSnapshot, ParkReason, PeekedItem, PendingItem, Reason,
  Receipt, Register, Registered, ResultOf, RetryItem, Send, SendOptions, SerializedError, Settled, TransactionOptions, ViewChange,
} from './types.js'
