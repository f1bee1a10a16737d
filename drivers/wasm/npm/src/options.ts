// The options of an outbox, and what the core is told of them.

import type { WasmSource } from './core.js'
import { UnsupportedError, must } from './errors.js'
import type { ClockPort, LeaderElection } from './ports.js'
import type { KeyExtractor, MutatorConfig } from './registry.js'
import type { Storage, StorageAdapter } from './storage/types.js'
import type { BeforeRetry, OnlineDetector } from './types.js'
import type { OutboxView } from './view-port.js'

export const DEFAULT_NAME = 'outbox'

/** The settings of an outbox. Those of all tabs should agree; none of them is unsafe if not. */
export interface OutboxOptions {
  /** One per user: one user's items are never sent as another's (R20). 1 to 256 bytes; default `'outbox'`. */
  readonly name?: string
  /** At most this many attempts in flight (R8): 1 to 1,024, default 4. */
  readonly maxConcurrency?: number
  /** Whether backoff is jittered (R10); default true. */
  readonly jitter?: boolean
  /** Of one attempt, in ms (R14): 1 to 86,400,000, default 15,000. */
  readonly timeout?: number
  /** Largest args, and largest metadata, in bytes (R32); default 1 MiB. */
  readonly maxArgsBytes?: number
  /** Asked before items are sent again (R17). */
  readonly beforeRetry?: BeforeRetry
  /** For mutators whose own `key` is missing or gives none (R7). */
  readonly keyExtractor?: KeyExtractor
  /** Default `indexedDbAdapter()`. Memory only if you choose it (R1). */
  readonly storage?: Storage
  /**
   * Default `'auto'`: Web Locks, else leases over BroadcastChannel, else alone (R26). Give all tabs the same: leaders of two
   * kinds do not know of each other, and fence each other off every few seconds; nothing is lost, but an attempt under way
   * is cancelled, and repeated. So `'none'` is for a store that one tab alone opens.
   */
  readonly leaderElection?: 'auto' | 'web-locks' | 'broadcast-channel' | 'none' | LeaderElection
  /** Instead of the page's `online` and `offline` events (R8). */
  readonly onlineDetector?: OnlineDetector
  /** Shows the pending items in the app's own state: `tanstackDb()` of `outbox-offline/tanstack-db`. */
  readonly view?: OutboxView
  /** Where the wasm comes from, instead of this entry's own way. */
  readonly wasm?: WasmSource
  /** Whether the flight recorder is on: see `exportRecording`. It holds args and results. Default false. */
  readonly record?: boolean
}

/** The clock and the timers; a test brings its own. */
export interface Platform {
  /** Wall clock, in ms; never runs back (R30). */
  now(): number
  /** What the system's clock shows, in ms, by which dates are given. */
  date(): number
  /** Runs once after so many ms, until the returned function is called. */
  after(ms: number, run: () => void): () => void
  /** How long an attempt under way may go on when the outbox is stopped. */
  readonly patienceMs: number
  /** If given, the engine uses it instead of the platform's. */
  readonly clock?: ClockPort
}

// As they are when the module is loaded: a test that fakes the timers later does not stop an outbox's end.
const { setTimeout, clearTimeout } = globalThis
const started = Date.now() - performance.now()

/** The wall clock at start plus the monotonic time since. */
export const realTime: Platform = {
  patienceMs: 1_000,
  now: () => started + performance.now(),
  date: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}

/** The core's `Config`. */
export function coreConfig(options: OutboxOptions, mutators: Record<string, MutatorConfig>, replica: string, shared: boolean): object {
  const { maxConcurrency, jitter, timeout, maxArgsBytes, beforeRetry } = options
  return {
    replica,
    mutators,
    ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
    ...(jitter === undefined ? {} : { jitter }),
    ...(timeout === undefined ? {} : { timeoutMs: timeout }),
    ...(maxArgsBytes === undefined ? {} : { maxArgsBytes }),
    beforeRetry: beforeRetry !== undefined,
    shared,
  }
}

/** Limits are the core's to check; that it is a number is not. */
export function checkWhole(value: unknown, field: string): void {
  must(value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0), field, 'a whole number, not negative')
}

/** Refuses what can be refused before anything is opened. */
export function checkOptions(options: OutboxOptions): void {
  for (const hook of ['beforeRetry', 'keyExtractor'] as const) {
    must(options[hook] === undefined || typeof options[hook] === 'function', hook, 'a function')
  }
  for (const number of ['maxConcurrency', 'timeout', 'maxArgsBytes'] as const) checkWhole(options[number], number)
  const { jitter = true, name = DEFAULT_NAME, view, onlineDetector, leaderElection = 'auto' } = options
  must(typeof jitter === 'boolean', 'jitter', 'true or false')
  must(view === undefined || typeof view?.connect === 'function', 'view',
    'a view layer, such as tanstackDb({ createTransaction, collections })')
  must(typeof name === 'string' && name !== '' && new TextEncoder().encode(name).length <= 256, 'name',
    'a text of 1 to 256 bytes, such as one per user')
  must(onlineDetector === undefined
    || (typeof onlineDetector?.isOnline === 'function' && typeof onlineDetector.subscribe === 'function'), 'onlineDetector',
  'an object with isOnline and subscribe')
  const known = ['auto', 'web-locks', 'broadcast-channel', 'none']
  must(typeof leaderElection === 'string' ? known.includes(leaderElection) : typeof leaderElection?.start === 'function',
    'leaderElection', `one of ${known.join(', ')}, or an object with start, resign, steal, stop`)
}

/** How this outbox elects its leader. `webLocks` makes an election over Web Locks, where there are any. */
export function electionOf(
  choice: NonNullable<OutboxOptions['leaderElection']>, adapter: StorageAdapter, webLocks: (() => LeaderElection) | undefined,
): LeaderElection | 'broadcast-channel' | 'none' {
  if (typeof choice === 'object') return choice
  // A store that nobody else can reach has nobody else to lead it.
  if (choice === 'none' || (choice === 'auto' && !adapter.shared)) return 'none'
  if (choice !== 'broadcast-channel' && webLocks !== undefined) return webLocks()
  if (choice === 'web-locks') {
    throw new UnsupportedError('leaderElection: \'web-locks\', but there are no Web Locks here: they need a secure context (https). '
      + 'Use \'auto\'.')
  }
  return typeof BroadcastChannel === 'function' ? 'broadcast-channel' : 'none'
}
