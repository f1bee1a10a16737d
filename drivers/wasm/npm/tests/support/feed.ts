// The to-dos as the server has them, and the stream by which pages hear of each change: other people's too.
import type { ServerResponse } from 'node:http'

/** A to-do as the server has it. */
export interface Row {
  id: string
  text: string
  note: string
  /** Which change it is of. */
  rev: number
}

export class Feed {
  /** How long a change is on its way to the pages: what was answered at once overtakes it. */
  lagMs = 0
  readonly #rows = new Map<string, Row>()
  readonly #pages = new Set<ServerResponse>()
  #rev = 0

  /** The fields of a row become these. */
  change(id: string, fields: Partial<Pick<Row, 'text' | 'note'>>): void {
    this.#rev += 1
    const before = this.#rows.get(id) ?? { text: '', note: '' }
    const row = { ...before, ...fields, id, rev: this.#rev }
    this.#rows.set(id, row)
    setTimeout(() => {
      for (const page of this.#pages) tell(page, [row])
    }, this.lagMs)
  }

  /** The last change of a row. */
  revOf(id: string): number {
    return this.#rows.get(id)?.rev ?? 0
  }

  /** A page listens: it is told all rows, and then each that changes. */
  listen(page: ServerResponse): void {
    page.writeHead(200, { 'content-type': 'text/event-stream' })
    this.#pages.add(page)
    page.on('close', () => this.#pages.delete(page))
    tell(page, [...this.#rows.values()])
  }
}

function tell(page: ServerResponse, rows: Row[]): void {
  page.write(`data: ${JSON.stringify(rows)}\n\n`)
}
