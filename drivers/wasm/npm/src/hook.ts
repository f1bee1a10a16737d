// `beforeRetry`: asks the app's hook, and turns the list it gives back into the core's verdicts (R17).

import type { CoreItem } from './core.js'
import { InputError, must } from './errors.js'
import { toJson } from './json.js'
import type { BeforeRetry, RetryItem } from './types.js'

const SQUASHED = Symbol.for('outbox-offline.squashed')
type Squashing = RetryItem & { [SQUASHED]?: readonly string[] }

/**
 * Merges `from` into `into`: return the result from `beforeRetry` instead of both. `into` then also holds the lanes
 * of `from`, and its outcome is told to the waiters of both. Its args change only if `args` is given.
 *
 * ```ts
 * beforeRetry: ([first, ...rest]) => rest.reduce((into, from) => squash(into, from, { ...into.args, ...from.args }), first)
 * ```
 */
export function squash(into: RetryItem, from: RetryItem, args: unknown = into.args): RetryItem {
  const merged = [...((into as Squashing)[SQUASHED] ?? []), ...((from as Squashing)[SQUASHED] ?? []), from.id]
  return { ...into, args, [SQUASHED]: merged } as RetryItem
}

/** What the core is told of one item. */
type Verdict = 'keep' | 'remove' | { rewrite: { args?: unknown; key?: string[]; metadata?: unknown } } | { squashInto: string }

/** The core's `AskedItem`. */
export interface AskedItem {
  item: CoreItem
  sent: 'never' | 'maybe'
}

/** Asks the hook: the verdicts as JSON text. Rejects with what it threw, or with what is wrong with its answer. */
export async function ask(hook: BeforeRetry, asked: readonly AskedItem[]): Promise<string> {
  const before = new Map(asked.map((one) => [one.item.id, textsOf(retryItem(one))]))
  const returned: unknown = await hook(asked.map(retryItem))
  if (!Array.isArray(returned)) throw new InputError('`beforeRetry` must return the list of items that stay.', 'beforeRetry')
  return `[${verdicts(asked, returned as Squashing[], before).join(',')}]`
}

type Texts = Record<'args' | 'key' | 'metadata' | 'rest', string>

function retryItem({ item, sent }: AskedItem): RetryItem {
  // Each call gives a copy of its own: the hook may write to it.
  return JSON.parse(JSON.stringify({ ...item, sent })) as RetryItem
}

function textsOf(item: Squashing): Texts {
  const { args, key, metadata, ...rest } = item
  const where = `beforeRetry item ${String(item.id)}`
  if (args === undefined) throw new InputError(`\`${where}: args\` is undefined: leave it as it was, or use null.`, 'beforeRetry')
  return {
    args: toJson(args, `${where}: args`),
    key: JSON.stringify(key),
    metadata: toJson(metadata ?? null, `${where}: metadata`),
    rest: JSON.stringify(rest),
  }
}

function verdicts(asked: readonly AskedItem[], returned: readonly Squashing[], before: ReadonlyMap<string, Texts>): string[] {
  const kept = new Map<string, Squashing>()
  const survivors = new Map<string, string>()
  for (const item of returned) {
    if (!before.has(item?.id) || kept.has(item.id)) throw notAsked(item?.id)
    kept.set(item.id, item)
    for (const from of item[SQUASHED] ?? []) {
      if (!before.has(from) || survivors.has(from)) throw notAsked(from)
      survivors.set(from, item.id)
    }
  }
  for (const from of survivors.keys()) if (kept.has(from)) throw notAsked(from)
  return asked.map(({ item: { id } }) => {
    const item = kept.get(id)
    const into = survivors.get(id)
    if (item !== undefined) return pair(id, compare(item, before.get(id) as Texts))
    return pair(id, JSON.stringify(into === undefined ? 'remove' : { squashInto: into } satisfies Verdict))
  })
}

const pair = (id: string, verdict: string) => `[${JSON.stringify(id)},${verdict}]`

/** What the hook did to an item that it returned. Texts are compared: what the hook has not touched stays as it was. */
function compare(item: Squashing, was: Texts): string {
  const is = textsOf(item)
  if (is.rest !== was.rest) {
    throw new InputError(`beforeRetry changed more of ${item.id} than args, key and metadata.`, 'beforeRetry')
  }
  const parts: string[] = []
  if (is.args !== was.args) parts.push(`"args":${is.args}`)
  if (is.key !== was.key) {
    const key = typeof item.key === 'string' ? [item.key] : item.key
    must(Array.isArray(key) && key.every((one) => typeof one === 'string'), `beforeRetry item ${item.id}: key`, 'a string, or a list of strings')
    parts.push(`"key":${JSON.stringify(key)}`)
  }
  // `null` would mean "as it was".
  if (is.metadata !== was.metadata) parts.push(`"metadata":${is.metadata === 'null' ? '{}' : is.metadata}`)
  return parts.length === 0 ? '"keep"' : `{"rewrite":{${parts.join(',')}}}`
}

function notAsked(id: unknown): InputError {
  return new InputError(`beforeRetry answered ${JSON.stringify(id)}, which it was not asked about, or twice.`, 'beforeRetry')
}
