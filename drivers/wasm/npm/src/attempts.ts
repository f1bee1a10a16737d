// Attempts: calls the app's mutators, and tells the core how each ended (R12, R14).

import { CLASS, type Core, type CoreItem } from './core.js'
import { RetryError, TransportError, classOf, readable, serialized } from './errors.js'
import { attemptFetch } from './http.js'
import { toJson } from './json.js'
import type { Platform } from './options.js'
import type { Registry } from './registry.js'
import type { Attempt, Json } from './types.js'

/** A mutator's own words on an item, kept for waiters in this tab. */
export interface LocalOutcome {
  /** What it returned; the core tells other tabs up to 64 KiB of it. */
  readonly result?: { readonly value: unknown }
  /** What it threw. */
  readonly thrown?: unknown
}

interface Flight {
  readonly id: string
  readonly deadline: number
  readonly controller: AbortController
}

/** The attempts under way in this tab. */
export class Attempts {
  private readonly flights = new Map<number, Flight>()
  private readonly outcomes = new Map<string, LocalOutcome>()

  constructor(
    private readonly core: () => Core | undefined,
    private readonly registry: Registry,
    private readonly clock: Pick<Platform, 'now' | 'date'>,
    private readonly changed: (id: string) => void,
  ) {}

  isSending(id: string): boolean {
    return [...this.flights.values()].some((flight) => flight.id === id)
  }

  dispatch(attempt: number, item: CoreItem, deadline: number): void {
    const flight = { id: item.id, deadline, controller: new AbortController() }
    this.flights.set(attempt, flight)
    this.changed(item.id)
    void this.run(attempt, item, flight)
  }

  /** Nothing waits for it any longer; what it comes to is told all the same: a late success counts (R14). */
  cancel(attempt: number): void {
    const flight = this.flights.get(attempt)
    if (flight === undefined) return
    this.land(attempt, flight)
    flight.controller.abort(this.clock.now() >= flight.deadline
      ? new TransportError('timed out: no answer came within the mutator\'s timeout')
      : new TransportError('cancelled: the item was removed, or another tab leads now'))
  }

  cancelAll(): void {
    for (const attempt of [...this.flights.keys()]) this.cancel(attempt)
  }

  /** What the mutator itself said of an item, once. */
  takeOutcome(id: string): LocalOutcome | undefined {
    const outcome = this.outcomes.get(id)
    this.outcomes.delete(id)
    return outcome
  }

  private async run(attempt: number, item: CoreItem, flight: Flight): Promise<void> {
    // Not in the engine's turn: a mutator may call the outbox.
    await Promise.resolve()
    let value: unknown
    try {
      value = await this.registry.expect(item.mutatorName).mutate(attemptOf(item, flight))
    } catch (thrown) {
      this.failed(attempt, flight, thrown)
      return
    }
    this.land(attempt, flight)
    this.told(flight, { result: { value } }, (core) => core.succeeded(attempt, resultText(value)))
  }

  private failed(attempt: number, flight: Flight, thrown: unknown): void {
    this.land(attempt, flight)
    const failureClass = classOf(thrown)
    const { name, message } = serialized(thrown)
    const retryAfterMs = readable(() => this.retryAfterMs(thrown), undefined)
    const outcome = failureClass === 'non-retriable' ? { thrown } : undefined
    this.told(flight, outcome, (core) => core.failed(attempt, CLASS[failureClass], name, message, retryAfterMs))
  }

  /** Tells the core. It decides at once whether it is the item's end; if not, nobody asks for the mutator's words. */
  private told({ id }: Flight, outcome: LocalOutcome | undefined, tell: (core: Core) => void): void {
    const core = this.core()
    if (core === undefined) return
    if (outcome !== undefined) this.outcomes.set(id, outcome)
    try {
      tell(core)
    } finally {
      this.outcomes.delete(id)
    }
  }

  private land(attempt: number, flight: Flight): void {
    if (this.flights.delete(attempt)) this.changed(flight.id)
  }

  /** What the error asks for, in ms from now; the core reads header texts (R11). */
  private retryAfterMs(thrown: unknown): number | undefined {
    if (typeof thrown !== 'object' || thrown === null) return undefined
    const { retryAfter, serverDate } = thrown as Partial<RetryError>
    // A date is meant by the clock of whoever made it: the server's, or else the system's, which may have been set since the start.
    const date = this.clock.date()
    if (typeof retryAfter === 'string') {
      return this.core()?.retryAfterMs(retryAfter, typeof serverDate === 'string' ? serverDate : new Date(date).toUTCString())
    }
    // Anything may be thrown, with a field of that name.
    const ms = typeof retryAfter === 'number' ? retryAfter * 1000 : (retryAfter?.getTime() ?? NaN) - date
    return ms > 0 && ms < Infinity ? Math.ceil(ms) : undefined
  }
}

function attemptOf(item: CoreItem, flight: Flight): Attempt {
  const { signal } = flight.controller
  return {
    args: item.args,
    id: item.id,
    attempt: item.retryCount,
    signal,
    createdAt: item.createdAt,
    deadline: flight.deadline,
    idempotencyKey: item.idempotencyKey,
    metadata: (item.metadata ?? {}) as Record<string, Json>,
    fetch: attemptFetch(signal, item.idempotencyKey),
  }
}

/** What other tabs are told. A result that JSON cannot carry is not told: the server has the mutation all the same. */
function resultText(value: unknown): string | undefined {
  if (value === undefined) return undefined
  try {
    return toJson(value, 'result')
  } catch {
    return undefined
  }
}
