// The columns. A visit is moved by dragging it, by its list of columns, or with the keyboard: Shift and an arrow.

import { useEffect, useRef, useState, type DragEvent, type KeyboardEvent } from 'react'
import { useMutator } from 'outbox-offline/react'

import { STATUSES, type Status, type Visit } from '../visits'
import { STATUS_WORDS } from '../words'
import { Card } from './Card'

const DRAGGED = 'application/x-visit'

interface Props {
  visits: readonly Visit[]
  onEdit: (visit: Visit) => void
}

export function Board({ visits, onEdit }: Props) {
  const moveVisit = useMutator('moveVisit')
  const board = useRef<HTMLDivElement>(null)
  const follow = useRef<string>(undefined)

  const move = (visit: Visit, status: Status) => {
    if (visit.status !== status) void moveVisit({ id: visit.id, status })
  }
  // A card that was moved with the keyboard keeps the focus, in its new column.
  useEffect(() => {
    if (follow.current === undefined) return
    cards(board.current).find((card) => card.dataset.id === follow.current)?.focus()
    follow.current = undefined
  })
  const onKeyDown = (event: KeyboardEvent, visit: Visit) => {
    if (event.target !== event.currentTarget) return
    if (event.key === 'Enter') onEdit(visit)
    else if (!event.key.startsWith('Arrow')) return
    else if (event.shiftKey) {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key] ?? 0
      const status = STATUSES[STATUSES.indexOf(visit.status) + step]
      if (status !== undefined && step !== 0) {
        follow.current = visit.id
        move(visit, status)
      }
    } else neighbour(board.current, visit, event.key)?.focus()
    event.preventDefault()
  }
  return (
    <div className="columns" ref={board}>
      {STATUSES.map((status) => (
        <Column key={status} status={status} visits={visits.filter((visit) => visit.status === status)}
          onDrop={(id) => visits.filter((visit) => visit.id === id).forEach((visit) => move(visit, status))}
          onEdit={onEdit} onMove={move} onKeyDown={onKeyDown} />
      ))}
    </div>
  )
}

interface ColumnProps extends Props {
  status: Status
  onDrop: (id: string) => void
  onMove: (visit: Visit, status: Status) => void
  onKeyDown: (event: KeyboardEvent, visit: Visit) => void
}

function Column({ status, visits, onDrop, onEdit, onMove, onKeyDown }: ColumnProps) {
  const [isOver, setOver] = useState(false)
  const over = (event: DragEvent) => {
    if (!event.dataTransfer.types.includes(DRAGGED)) return
    event.preventDefault()
    setOver(true)
  }
  const drop = (event: DragEvent) => {
    event.preventDefault()
    setOver(false)
    onDrop(event.dataTransfer.getData(DRAGGED))
  }
  const title = `column-${status}`
  return (
    <section className="column" data-status={status} data-over={isOver || undefined} aria-labelledby={title}
      onDragOver={over} onDragLeave={() => setOver(false)} onDrop={drop}>
      <h2 id={title}>
        <i aria-hidden="true" />{STATUS_WORDS[status]}
        <span className="count">{visits.length}<span className="sr"> visits</span></span>
      </h2>
      {visits.length === 0 && <p className="empty">No visits</p>}
      <ul>
        {visits.map((visit) => (
          <li key={visit.id}>
            <Card visit={visit} onEdit={() => onEdit(visit)} onMove={(to) => onMove(visit, to)}
              onKeyDown={(event) => onKeyDown(event, visit)}
              onDragStart={(event) => event.dataTransfer.setData(DRAGGED, visit.id)} />
          </li>
        ))}
      </ul>
    </section>
  )
}

function cards(board: HTMLElement | null): HTMLElement[] {
  return [...board?.querySelectorAll<HTMLElement>('article[data-id]') ?? []]
}

/** The card that an arrow leads to: up and down in a column, or at the same height in the next column that has cards. */
function neighbour(board: HTMLElement | null, visit: Visit, key: string): HTMLElement | undefined {
  const columns = [...board?.querySelectorAll<HTMLElement>('.column') ?? []].map(cards)
  const column = columns.findIndex((cards) => cards.some((card) => card.dataset.id === visit.id))
  const row = columns[column]?.findIndex((card) => card.dataset.id === visit.id) ?? 0
  if (key === 'ArrowUp') return columns[column]?.[row - 1]
  if (key === 'ArrowDown') return columns[column]?.[row + 1]
  const others = key === 'ArrowLeft' ? columns.slice(0, column).reverse() : columns.slice(column + 1)
  const next = others.find((cards) => cards.length > 0)
  return next?.[Math.min(row, next.length - 1)]
}
