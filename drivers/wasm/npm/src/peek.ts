// Diagnostics: the pending items as the core has them, and why each is not being sent (R19).

import type { CoreItem, CorePlace } from './core.js'
import type { Engine } from './engine.js'
import type { Explanation, PeekedItem, Reason } from './types.js'
import { publicItem } from './view.js'

/** The core's `Blocked`, and its words. */
interface CoreExplanation {
  reason: string | Record<string, unknown>
  until: number | null
  says: string
}

type CorePending = CoreItem & { place: CorePlace; state: CoreExplanation }

/** All pending items, in order. */
export function peeked(engine: Engine): PeekedItem[] {
  const { session } = engine
  if (session === undefined) return engine.view.items().map((item) => ({ ...item, explanation: ownWords('writing') }))
  const pending = JSON.parse(session.core.pending()) as CorePending[]
  return pending.map(({ place, state, ...item }) => ({
    ...publicItem(item),
    seq: 'stored' in place ? place.stored : null,
    explanation: explained(engine, state),
  }))
}

/** Why an item is not being sent; undefined if it is not pending here. */
export function explanation(engine: Engine, id: string): Explanation | undefined {
  const text = engine.session?.core.explain(id)
  if (text !== undefined) return explained(engine, JSON.parse(text) as CoreExplanation)
  const item = engine.view.find(id)
  if (item === undefined) return undefined
  return ownWords(item.state === 'confirming' ? 'confirming' : 'writing')
}

function explained(engine: Engine, { reason, until, says }: CoreExplanation): Explanation {
  if (reason === 'follower' && engine.mode === 'staging') return ownWords('notStarted')
  return { reason: reasonOf(reason), words: says, until }
}

function reasonOf(reason: string | Record<string, unknown>): Reason {
  if (typeof reason === 'string') return { kind: reason } as Reason
  const [kind, detail] = Object.entries(reason)[0] ?? ['ready', {}]
  return (kind === 'parked' ? { kind, why: detail } : { kind, ...(detail as object) }) as Reason
}

const WORDS = {
  writing: 'being written',
  confirming: 'committed; its mutator\'s `confirmed` is awaited',
  notStarted: 'stored; nothing is sent before startOfflineExecutor()',
}

function ownWords(kind: keyof typeof WORDS): Explanation {
  return { reason: { kind }, words: WORDS[kind], until: null }
}
