// The figures of a run: noted as they are measured, told as medians.

export const SIDES = ['outbox-offline', '@tanstack/offline-transactions'] as const
export type Side = (typeof SIDES)[number]

/** `left`: so many were not done when time was up. */
interface Took {
  ms: number
  left: number
}

/** One figure of one library. */
export interface Figure {
  median: number
  runs: number[]
  /** It was cut off at `median`, with so many not done. */
  left?: number
}

export interface Summary {
  /** Times in ms, memory in bytes; by name, and then by library. */
  figures: Record<string, Partial<Record<Side, Figure>>>
  /** Median ms of a batch by store and by the size of the batch. */
  stores: Record<string, Record<string, number>>
}

export class Figures {
  /** What is being measured. */
  name = ''
  readonly #noted = new Map<string, { runs: number[]; left: number | undefined }>()
  readonly #cut = new Set<string>()
  #started: ((ms: number) => void) | undefined
  readonly #stores: Record<string, Record<number, number>>[] = []

  /** Notes figures of a library, about `count` items. */
  of(side: Side, count?: number) {
    const add = (figure: string, value: number, left?: number) => {
      const name = `${count === undefined ? figure : `${figure}.${count}`} ${side}`
      const noted = this.#noted.get(name) ?? { runs: [], left: undefined }
      noted.runs.push(Math.round(value * 1000) / 1000)
      if (left !== undefined) noted.left = Math.max(left, noted.left ?? 0)
      this.#noted.set(name, noted)
    }
    return {
      /** It begins: if it comes to no end, this is cut off. */
      start: (figure: string) => {
        this.#started = (ms) => add(figure, ms, count ?? 0)
      },
      ms: (figure: string, value: number) => add(figure, value),
      bytes: (figure: string, value: number) => add(figure, value),
      block: (figure: string, { longestTaskMs }: { longestTaskMs: number }) => add(figure, longestTaskMs),
      took: (figure: string, { ms, left }: Took) => {
        if (left > 0) this.#cut.add(`${this.name} ${side}`)
        add(figure, ms, left > 0 ? left : undefined)
      },
    }
  }

  /** What was started came to no end in this time. */
  cut(side: Side, ms: number): void {
    this.#cut.add(`${this.name} ${side}`)
    this.#started?.(ms)
  }

  addStores(figures: Record<string, Record<number, number>>): void {
    this.#stores.push(figures)
  }

  /** Whether a measurement of this name was cut off. */
  isCut(name: string, side: Side): boolean {
    return this.#cut.has(`${name} ${side}`)
  }

  summary(): Summary {
    const figures: Summary['figures'] = {}
    for (const [name, { runs, left }] of this.#noted) {
      const [figure, side] = name.split(' ') as [string, Side]
      figures[figure] ??= {}
      figures[figure][side] = { median: median(runs), runs, ...(left === undefined ? {} : { left }) }
    }
    const stores: Summary['stores'] = {}
    for (const [store, batches] of Object.entries(this.#stores[0] ?? {})) {
      const of = (batch: string) => median(this.#stores.map((figures) => figures[store]?.[Number(batch)] ?? NaN))
      stores[store] = Object.fromEntries(Object.keys(batches).map((batch) => [batch, Math.round(of(batch) * 1000) / 1000]))
    }
    return { figures, stores }
  }

  table(): string {
    const { figures, stores } = this.summary()
    const cell = (figure: Figure | undefined) => {
      if (figure === undefined) return 'none'
      return `${figure.median.toFixed(1)}${figure.left === undefined ? '' : ` cut, ${figure.left} left`}`
    }
    const rows = Object.entries(figures).map(([name, sides]) => {
      return `${name.padEnd(22)} ${SIDES.map((side) => cell(sides[side]).padStart(26)).join(' ')}`
    })
    const heading = `${''.padEnd(22)} ${SIDES.map((side) => side.padStart(26)).join(' ')}`
    const batches = Object.entries(stores).map(([store, of]) => `${store.padEnd(10)} ${JSON.stringify(of)}`)
    return ['', heading, ...rows, '', 'ms per batch, by its size', ...batches].join('\n')
  }
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? NaN
}
