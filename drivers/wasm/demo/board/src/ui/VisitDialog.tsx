// A new visit, or another note, time, assignee of one. Only what was changed is written.

import { useEffect, useRef, type FormEvent } from 'react'
import { useMutator } from 'outbox-offline/react'

import type { Visit } from '../visits'
import type { Editing } from './App'
import { TECHNICIANS } from './Avatar'
import { Cross } from './icons'

const FIELDS = ['customer', 'task', 'time', 'assignee', 'note'] as const
type Fields = Pick<Visit, (typeof FIELDS)[number]>

export function VisitDialog({ editing, onClose }: { editing: Editing; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    if (editing === undefined) return dialog.current?.close()
    dialog.current?.showModal()
    dialog.current?.querySelector<HTMLElement>('[data-first]')?.focus()
  }, [editing])
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby="dialog-title">
      {editing !== undefined && <Form editing={editing} onClose={onClose} />}
    </dialog>
  )
}

function Form({ editing, onClose }: { editing: NonNullable<Editing>; onClose: () => void }) {
  const createVisit = useMutator('createVisit')
  const editVisit = useMutator('editVisit')
  const visit: Partial<Visit> = editing.kind === 'edit' ? editing.visit : { time: '15:30' }
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const said = Object.fromEntries(FIELDS.map((name) => [name, String(form.get(name) ?? '').trim()])) as Fields
    if (editing.kind === 'new') void createVisit({ id: crypto.randomUUID(), status: 'planned', ...said })
    else {
      const changed = FIELDS.filter((name) => said[name] !== editing.visit[name])
      const edit = Object.fromEntries(changed.map((name) => [name, said[name]]))
      if (changed.length > 0) void editVisit({ id: editing.visit.id, ...edit })
    }
    onClose()
  }
  return (
    <form onSubmit={submit}>
      <header>
        <h2 id="dialog-title">{editing.kind === 'new' ? 'New visit' : editing.visit.customer}</h2>
        <button type="button" className="plain" onClick={onClose} aria-label="Close"><Cross /></button>
      </header>
      <label>Customer
        <input name="customer" required defaultValue={visit.customer} autoComplete="off"
          data-first={editing.kind === 'new' || undefined} />
      </label>
      <label>Task<input name="task" defaultValue={visit.task} autoComplete="off" /></label>
      <div className="pair">
        <label>Time<input name="time" type="time" defaultValue={visit.time} /></label>
        <label>Assigned to
          <select name="assignee" defaultValue={visit.assignee}>
            <option value="">Nobody yet</option>
            {TECHNICIANS.map((name) => <option key={name}>{name}</option>)}
          </select>
        </label>
      </div>
      <label>Note
        <textarea name="note" rows={4} defaultValue={visit.note} data-first={editing.kind === 'edit' || undefined} />
      </label>
      <footer>
        <button type="button" onClick={onClose}>Cancel</button>
        <button type="submit" className="primary">{editing.kind === 'new' ? 'Add visit' : 'Save'}</button>
      </footer>
    </form>
  )
}
