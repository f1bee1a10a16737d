// The outbox: what is not at the office yet, in order and why not; and what the office refused.

import { useOutbox, useOutboxItem } from 'outbox-offline/react'
import type { FailureRecord, PendingItem } from 'outbox-offline'

import { mutationWords } from '../words'
import { leaving, useSaid } from './hooks'
import { Undo } from './icons'

export function Pending() {
  const { items, failures, status, error } = useOutbox()
  const isEmpty = items.length === 0 && failures.length === 0
  return (
    <section className="panel pending" tabIndex={-1} aria-labelledby="pending-title">
      <h2 id="pending-title">Outbox <span className="count">{items.length}<span className="sr"> pending</span></span></h2>
      {status === 'failed' && <p className="problem" role="alert">{error?.message}</p>}
      {isEmpty && status !== 'failed' && (
        <p className="empty">Nothing waits. What you change shows at once, is stored on this device, and is sent from here.</p>
      )}
      {failures.length > 0 && (
        <ul className="failures" aria-label="Refused by the office">
          {failures.map((failure) => <Failure key={failure.item.id} failure={failure} />)}
        </ul>
      )}
      {items.length > 0 && (
        <ol aria-label="Pending changes">
          {items.map((item) => <Row key={item.id} item={item} />)}
        </ol>
      )}
    </section>
  )
}

function Row({ item }: { item: PendingItem }) {
  const { remove } = useOutboxItem(item.id)
  const said = useSaid(item)
  const words = mutationWords(item)
  return (
    <li>
      <div>
        <p className="what">{words}</p>
        <p className="state" data-tone={said?.tone} title={said && `The core says: ${said.core}`}>
          <i aria-hidden="true" /><span>{said?.text}</span>
        </p>
      </div>
      <button type="button" className="plain" onClick={leaving(remove)} title="Take back"
        aria-label={`Take back ${words}`}><Undo /></button>
    </li>
  )
}

function Failure({ failure: { item, error } }: { failure: FailureRecord }) {
  const { retry, dismiss } = useOutboxItem(item.id)
  return (
    <li className="refused">
      <p className="what"><strong>Refused</strong> {mutationWords(item)}</p>
      <p className="why">{error.message}</p>
      <button type="button" onClick={leaving(retry)}>Try again</button>
      <button type="button" onClick={leaving(dismiss)}>Dismiss</button>
    </li>
  )
}
