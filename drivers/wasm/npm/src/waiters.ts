// Who waits for which item's end: the `settled` promises of receipts (R29).

import type { LocalOutcome } from './attempts.js'
import { DroppedError, RemovedError, StoppedError } from './errors.js'
import type { Outcome, Settled } from './types.js'

interface Waiter {
  readonly mutatorName: string
  readonly settled: Promise<Settled<unknown>>
  resolve(settled: Settled<unknown>): void
  reject(error: Error): void
}

/** The waiters of this tab. */
export class Waiters {
  private readonly waiting = new Map<string, Waiter>()

  /** The promise of the item's end. Nobody has to look at it. */
  wait(id: string, mutatorName: string): Promise<Settled<unknown>> {
    const known = this.waiting.get(id)
    if (known !== undefined) return known.settled
    let resolve!: Waiter['resolve']
    let reject!: Waiter['reject']
    const settled = new Promise<Settled<unknown>>((...both) => { [resolve, reject] = both })
    settled.catch(() => undefined)
    this.waiting.set(id, { mutatorName, settled, resolve, reject })
    return settled
  }

  /** The mutation was not stored: nobody waits for its end. */
  forget(id: string): void {
    this.waiting.delete(id)
  }

  tell(id: string, outcome: Outcome, local: LocalOutcome | undefined): void {
    const waiter = this.waiting.get(id)
    // A squashed item's waiters get the survivor's outcome (R17).
    if (waiter === undefined || outcome.kind === 'squashed') return
    this.waiting.delete(id)
    switch (outcome.kind) {
      case 'committed': {
        const known = local?.result ?? (outcome.result === undefined ? undefined : { value: outcome.result })
        waiter.resolve({ status: 'committed', result: known?.value, resultKnown: known !== undefined })
        break
      }
      case 'gone': waiter.resolve({ status: 'gone', result: undefined, resultKnown: false }); break
      case 'removed': waiter.reject(new RemovedError(id)); break
      case 'dropped': waiter.reject(new DroppedError(id, waiter.mutatorName, outcome.error, local?.thrown)); break
    }
  }

  stop(isDeleted: boolean): void {
    const fate = isDeleted ? 'deleted before' : 'stopped before'
    const rest = isDeleted ? 'it is not stored any longer, and the server may have it.' : 'it is still stored, and goes on at the next start.'
    for (const [id, waiter] of this.waiting) waiter.reject(new StoppedError(`The outbox was ${fate} ${id} was settled; ${rest}`))
    this.waiting.clear()
  }
}
