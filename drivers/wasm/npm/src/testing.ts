// `createTestOutbox`: an outbox for an app's tests: memory store, manual clock, manual connectivity.

import type { TypedOutbox } from './api.js'
import type { OutboxOptions, Platform } from './options.js'
import { memoryAdapter } from './storage/memory.js'
import type { Check, Mutators } from './types.js'
import { uuid } from './uuid.js'

/** Settings of a test outbox. */
export type TestOptions<M extends Mutators> = Omit<OutboxOptions, 'onlineDetector'> & {
  readonly mutators: M & Check<M>
  /** Default true. */
  readonly online?: boolean
  /** What the clock shows at first, in ms since 1970; default 2000-01-01. */
  readonly startAt?: number
}

/** An outbox whose time and connectivity are the test's. */
export type TestOutbox<M extends Mutators> = TypedOutbox<M> & {
  /** What the clock shows. */
  now(): number
  /** Moves the clock on, stopping at each wake-up on the way, and lets everything that follows happen. */
  advance(ms: number): Promise<void>
  /** Lets everything happen that does not wait for the clock or for the outside. */
  idle(): Promise<void>
  /** Sets the connectivity. */
  setOnline(online: boolean): void
}

/** 2000-01-01. */
const START_MS = 946_684_800_000
/** Turns of the microtask queue in which the core must not be told anything before it counts as idle. */
const QUIET_TURNS = 200

interface Timer {
  at: number
  run(): void
}

/** A clock that moves only when it is told to. */
class ManualClock implements Platform {
  readonly patienceMs = 0
  /** How often the core has looked at it: whenever it is told something. */
  looks = 0
  private ms: number
  private readonly timers = new Map<unknown, Timer>()

  constructor(startAt: number) {
    this.ms = startAt
  }

  readonly now = (): number => this.ms

  readonly date = this.now

  readonly after = (ms: number, run: () => void): (() => void) => {
    const timer = { at: this.ms + ms, run }
    this.timers.set(timer, timer)
    return () => this.timers.delete(timer)
  }

  readonly clock = {
    now: (): number => {
      this.looks += 1
      return this.ms
    },
    wakeAt: (until: number | undefined, ring: () => void): void => {
      this.timers.delete(ring)
      if (until === undefined) return
      const timer = { at: until, run: ring }
      this.timers.set(ring, timer)
      if (until <= this.ms) queueMicrotask(() => this.fire(ring, timer))
    },
  }

  /** Goes to the next timer that is due by `until`; false if there is none. */
  step(until: number): boolean {
    const due = [...this.timers].filter(([, timer]) => timer.at <= until).sort(([, a], [, b]) => a.at - b.at)[0]
    if (due === undefined) {
      this.ms = until
      return false
    }
    this.ms = Math.max(this.ms, due[1].at)
    this.fire(...due)
    return true
  }

  private fire(key: unknown, timer: Timer): void {
    if (this.timers.get(key) !== timer) return
    this.timers.delete(key)
    timer.run()
  }
}

/** Connectivity by hand. */
function switchboard(online: boolean) {
  const listeners = new Set<(online: boolean) => void>()
  return {
    isOnline: () => online,
    subscribe(changed: (online: boolean) => void) {
      listeners.add(changed)
      return () => listeners.delete(changed)
    },
    set(is: boolean) {
      online = is
      for (const changed of [...listeners]) changed(is)
    },
  }
}

/** `createTestOutbox` over an entry point's way to make an outbox on a platform. */
export function makeTestOutbox(create: (platform: Platform, mutators: Mutators, options: OutboxOptions) => TypedOutbox<Mutators>) {
  return <M extends Mutators>(options: TestOptions<M>): TestOutbox<M> => {
    const { mutators, online = true, startAt = START_MS, ...rest } = options
    const clock = new ManualClock(startAt)
    const onlineDetector = switchboard(online)
    const outbox = create(clock, mutators, { name: `test-${uuid()}`, storage: memoryAdapter(), ...rest, onlineDetector })
    const idle = async (): Promise<void> => {
      // A store that cannot be opened is tried again when the clock says so.
      await outbox.ready.catch(() => undefined)
      for (let turn = 0, looks = -1; turn < QUIET_TURNS; turn = looks === clock.looks ? turn + 1 : 0) {
        looks = clock.looks
        await Promise.resolve()
      }
    }
    const advance = async (ms: number): Promise<void> => {
      await idle()
      const until = clock.now() + ms
      while (clock.step(until)) await idle()
    }
    return Object.assign(outbox, { now: clock.now, idle, advance, setOnline: onlineDetector.set }) as unknown as TestOutbox<M>
  }
}
