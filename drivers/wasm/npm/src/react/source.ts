// Which outbox a hook speaks of, as a store that React can follow: the one that is given, else the default one, whichever
// that is by now.

import { defaults } from '../defaults.js'
import type { Engine } from '../engine.js'
import { OutboxHandle, type Outbox } from '../handle.js'
import { serverSnapshot } from '../snapshots.js'
import type { OutboxSnapshot, Receipt, SendOptions } from '../types.js'

/** What the hooks need of an outbox. */
export interface Source {
  subscribe(listener: () => void): () => void
  getSnapshot(): OutboxSnapshot
  /** The outbox, for a call. */
  outbox(): Outbox
  /** The outbox as it is; `undefined`: it is not open. */
  peek(): Outbox | undefined
  send(mutatorName: string, args: unknown, options: SendOptions | undefined): Promise<Receipt>
}

const given = new WeakMap<Outbox, Source>()

/** The source of an outbox: always the same one. */
export function sourceOf(outbox: Outbox | undefined): Source {
  if (outbox === undefined) return defaultSource
  const known = given.get(outbox) ?? {
    subscribe: outbox.subscribe,
    getSnapshot: outbox.getSnapshot,
    outbox: () => outbox,
    peek: () => outbox,
    send: (mutatorName, args, options) => (outbox as OutboxHandle).send(mutatorName, args, options),
  } satisfies Source
  given.set(outbox, known)
  return known
}

const handles = new WeakMap<Engine, OutboxHandle>()

function handleOf(engine: Engine): OutboxHandle {
  const known = handles.get(engine) ?? new OutboxHandle(engine, async () => undefined)
  handles.set(engine, known)
  return known
}

const defaultSource: Source = {
  subscribe(listener) {
    let unsubscribe = defaults.engine?.subscribe(listener)
    const unwatch = defaults.watch(() => {
      unsubscribe?.()
      unsubscribe = defaults.engine?.subscribe(listener)
      listener()
    })
    return () => {
      unwatch()
      unsubscribe?.()
    }
  },
  getSnapshot: () => defaultSource.peek()?.getSnapshot() ?? serverSnapshot,
  outbox: () => handleOf(defaults.expect()),
  peek: () => defaults.engine && handleOf(defaults.engine),
  send: async (mutatorName, args, options) => handleOf(defaults.expect()).send(mutatorName, args, options),
}
