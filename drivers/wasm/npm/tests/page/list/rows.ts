// The to-dos as the server has them: a TanStack DB collection that follows the server's stream. What is pending is not in
// here; the outbox lays it on top.
import { createCollection } from '@tanstack/react-db'

export interface Row {
  id: string
  text: string
  note: string
  rev: number
}

const KEPT = 'rows'

export const rows = createCollection<Row, string>({
  id: 'rows',
  getKey: ({ id }) => id,
  startSync: true,
  gcTime: 0,
  sync: {
    sync: ({ begin, write, commit, markReady }) => {
      const known = new Map<string, Row>()
      const take = (news: Row[]) => {
        const newer = news.filter(({ id, rev }) => rev > (known.get(id)?.rev ?? 0))
        if (newer.length === 0) return
        begin()
        for (const row of newer) write({ type: known.has(row.id) ? 'update' : 'insert', value: row })
        commit()
        for (const row of newer) known.set(row.id, row)
        localStorage.setItem(KEPT, JSON.stringify([...known.values()]))
      }
      // What was there on the last visit is there without a network.
      take(JSON.parse(localStorage.getItem(KEPT) ?? '[]') as Row[])
      markReady()
      const events = new EventSource('/changes')
      events.addEventListener('message', ({ data }: MessageEvent<string>) => take(JSON.parse(data) as Row[]))
      return () => events.close()
    },
  },
})
