// The wasm engine's flat surface (src/npm.rs of the crate), as this package sees it. Numbers are numbers, payloads
// are JSON text in the core's serde form.

import type { ChannelPort, ClockPort, LeaderElection, PageEvents } from './ports.js'
import type { OutboxStorage } from './storage/types.js'
import type { SerializedError } from './types.js'

/** What the engine asks of its host. */
export interface Host {
  store: OutboxStorage
  election: LeaderElection | 'broadcast-channel' | 'none'
  channel?: ChannelPort
  /** Instead of the platform's clock and timers. */
  clock?: ClockPort
  /** Tells what the page goes through, until the returned function is called. */
  watchPage?(on: PageEvents): () => void
  /** Whether the flight recorder is on. */
  record?: boolean
  /** Stored args in today's form, or undefined (R23). Not there if no mutator has an upgrade. */
  readonly upgrade?: ((id: string, mutatorName: string, args: string) => string | undefined) | undefined
  /** The first load is done, or why not: `{ error, message }`; after an error it is told once more when it succeeds. */
  opened(error: string | undefined): void
  dispatch(attempt: number, item: string, deadlineMs: number): void
  cancel(attempt: number): void
  ask(ask: number, items: string): void
  reply(call: number, ok: boolean, body: string): void
  /** A list of changes, in order. */
  view(changes: string): void
  /** A load has brought failure records: another tab may have retried or dismissed some, and no event tells of that. */
  failuresRead(): void
  event(event: string): void
}

/** The class of a failed attempt, as `Core.failed` takes it (R12). */
export const CLASS = { transport: 0, retry: 1, 'non-retriable': 2 } as const

/** The engine. */
export interface Core {
  start(): void
  enqueue(call: number, id: string, mutatorName: string, args: string, key?: string, idempotencyKey?: string, metadata?: string): void
  remove(call: number, id: string): void
  retryFailure(call: number, failure: string, id: string): void
  dismissFailure(call: number, id: string): void
  pause(call: number, reason: string): void
  resume(call: number, reason: string): void
  register(call: number, name: string, config: string): void
  succeeded(attempt: number, result?: string): void
  failed(attempt: number, failureClass: 0 | 1 | 2, name: string, message: string, retryAfterMs?: number): void
  answered(ask: number, verdicts: string): void
  hookThrew(ask: number, message: string): void
  pending(): string
  failures(): string
  explain(id: string): string | undefined
  paused(): string
  retryAfterMs(header: string, dateHeader?: string): number | undefined
  recording(): string | undefined
  /** In order: attempts under way have `patienceMs` to end, and what is known is written. */
  stop(patienceMs: number): Promise<unknown>
}

/** Makes a `Core`; throws if the config is out of its limits (R32). */
export type MakeCore = (config: string, name: string, host: Host) => Core

/** Loads the engine's code. */
export type LoadCore = (wasm?: WasmSource) => Promise<MakeCore>

/** Where the wasm comes from. */
export type WasmSource = string | URL | BufferSource | WebAssembly.Module

/** The core's `Item`. */
export interface CoreItem {
  id: string
  seq: number | null
  mutatorName: string
  args: unknown
  key: string[] | 'unknown'
  idempotencyKey?: string
  createdAt: number
  retryCount: number
  nextAttemptAt: number
  retryAfter?: number
  lastClass?: 'transport' | 'server' | 'non-retriable'
  lastError?: SerializedError
  metadata?: Record<string, never>
  claimed: boolean
  barrier: boolean
  rewrites: number
  version: number
}

/** The core's `Place`. */
export type CorePlace = { stored: number } | { writing: number }

/** The core's `Outcome`. */
export type CoreOutcome = { committed: { result?: unknown } } | { dropped: { error: SerializedError } }
  | { squashed: { into: string } } | 'removed' | 'gone'

/** The core's `ViewChange`. */
export type CoreViewChange = { set: { place: CorePlace; item: CoreItem } } | { moved: { from: CorePlace; to: CorePlace } }
  | { left: { place: CorePlace; outcome: CoreOutcome | null } }

/** The core's `Reply`. */
export type CoreReply = { enqueued: { id: string; seq: number } } | { done: boolean }

/** The core's `StorageError`. */
export type CoreStorageError = 'full' | 'fenced' | 'unknown' | { unavailable: { cause: string } }

/** The core's `CallError`. */
export type CoreCallError = { input: string | Record<string, { field?: string; name?: string }> } | { duplicate: { id: string } }
  | { storage: CoreStorageError } | { config: { field: string } } | 'stopped'
