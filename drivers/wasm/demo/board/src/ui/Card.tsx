// One visit, and what is happening to what was changed of it.

import type { DragEvent, KeyboardEvent, MouseEvent } from 'react'
import { useMutator, useOutbox, useOutboxLane } from 'outbox-offline/react'

import { STATUSES, type Status, type Visit } from '../visits'
import { mutationWords, STATUS_WORDS } from '../words'
import { Avatar } from './Avatar'
import { leaving, useSaid } from './hooks'
import { Bin, Pencil } from './icons'

/** With a finger one scrolls; the list of columns moves a visit. */
const isDraggable = matchMedia('(pointer: fine)').matches

interface Props {
  visit: Visit
  onEdit: () => void
  onMove: (status: Status) => void
  onKeyDown: (event: KeyboardEvent) => void
  onDragStart: (event: DragEvent) => void
}

export function Card({ visit, onEdit, onMove, onKeyDown, onDragStart }: Props) {
  const deleteVisit = useMutator('deleteVisit')
  const { id, customer, task, time, assignee, status, note } = visit
  const title = `visit-${id}`
  const remove = (event: MouseEvent<HTMLElement>) => {
    const row = event.currentTarget.closest('li')
    const next = row?.nextElementSibling ?? row?.previousElementSibling
    const heir = next?.querySelector('article') ?? event.currentTarget.closest<HTMLElement>('.visits')
    heir?.focus()
    void deleteVisit({ id, customer })
  }
  return (
    <article className="card" data-id={id} tabIndex={0} draggable={isDraggable}
      aria-labelledby={title} aria-describedby={`${title}-state`} aria-keyshortcuts="Enter Shift+ArrowLeft Shift+ArrowRight"
      onKeyDown={onKeyDown} onDragStart={onDragStart}>
      <div className="card-top">
        <time>{time || '–'}</time>
        <Avatar name={assignee} />
      </div>
      <h3 id={title}>{customer}</h3>
      {task !== '' && <p className="task">{task}</p>}
      {note !== '' && <p className="note">{note}</p>}
      <div className="card-tools">
        <label>
          <span className="sr">Column of {customer}</span>
          <select value={status} onChange={(event) => onMove(event.target.value as Status)}>
            {STATUSES.map((status) => <option key={status} value={status}>{STATUS_WORDS[status]}</option>)}
          </select>
        </label>
        <button type="button" className="plain" onClick={onEdit} aria-label={`Edit ${customer}`}><Pencil /></button>
        <button type="button" className="plain" onClick={remove}
          aria-label={`Delete ${customer}`}><Bin /></button>
      </div>
      <div id={`${title}-state`}>
        <State id={id} />
        <Refused id={id} />
      </div>
    </article>
  )
}

/** What is happening to the oldest change of this visit that is not at the office yet. */
function State({ id }: { id: string }) {
  const items = useOutboxLane(id)
  const [first] = items
  const said = useSaid(first)
  if (said === undefined) return null
  return (
    <p className="state" data-tone={said.tone} title={`The core says: ${said.core}`}>
      <i aria-hidden="true" /><span>{said.text}{items.length > 1 && <em> · {items.length} changes</em>}</span>
    </p>
  )
}

/** What the office refused of this visit, until it is tried again or dismissed. */
function Refused({ id }: { id: string }) {
  const { failures, retryFailure, dismissFailure } = useOutbox()
  const refused = failures.filter(({ item }) => (item.args as { id?: string }).id === id)
  return refused.map(({ item, error }) => (
    <div className="refused" key={item.id}>
      <p><strong>Refused</strong> {mutationWords(item)}. {error.message}</p>
      <button type="button" onClick={leaving(() => retryFailure(item.id))}>Try again</button>
      <button type="button" onClick={leaving(() => dismissFailure(item.id))}>Dismiss</button>
    </div>
  ))
}
