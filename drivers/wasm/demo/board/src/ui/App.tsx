// The page: visits in the middle, the outbox and the trouble beside them, the timeline below; on a phone one at a time.

import { useState } from 'react'
import { useOutbox } from 'outbox-offline/react'

import { visits as collection, type Visit } from '../visits'
import { Announcer } from './Announcer'
import { Board } from './Board'
import { Header } from './Header'
import { useVisits } from './hooks'
import { Bolt, Columns, Lanes, Tray } from './icons'
import { LoginBanner } from './LoginBanner'
import { Pending } from './Pending'
import { Timeline } from './Timeline'
import { TroublePanel } from './TroublePanel'
import { VisitDialog } from './VisitDialog'

const VIEWS = [
  ['visits', 'Visits', Columns],
  ['outbox', 'Outbox', Tray],
  ['trouble', 'Trouble', Bolt],
  ['timeline', 'Timeline', Lanes],
] as const
type View = (typeof VIEWS)[number][0]

/** What the dialog is open for. */
export type Editing = { kind: 'new' } | { kind: 'edit'; visit: Visit } | undefined

export function App() {
  const visits = useVisits(collection)
  const [view, setView] = useState<View>('visits')
  const [editing, setEditing] = useState<Editing>(undefined)
  return (
    <div className="app" data-view={view}>
      <a className="skip" href="#visits">Skip to the visits</a>
      <Header onNew={() => setEditing({ kind: 'new' })} onSummary={() => setView('outbox')} />
      <LoginBanner />
      <main>
        <section id="visits" className="visits" tabIndex={-1} aria-label="Visits">
          <Board visits={visits} onEdit={(visit) => setEditing({ kind: 'edit', visit })} />
        </section>
        <div className="side">
          <TroublePanel visits={visits} />
          <Pending />
        </div>
        <Timeline />
      </main>
      <Tabs view={view} onView={setView} />
      <VisitDialog editing={editing} onClose={() => setEditing(undefined)} />
      <Announcer />
    </div>
  )
}

/** On a phone: which part is shown. */
function Tabs({ view, onView }: { view: View; onView: (view: View) => void }) {
  const { pendingCount, failures } = useOutbox()
  const count = pendingCount + failures.length
  return (
    <nav className="tabs" aria-label="Parts of the page">
      {VIEWS.map(([name, words, Icon]) => (
        <button key={name} type="button" aria-current={view === name ? 'page' : undefined} onClick={() => onView(name)}>
          <Icon />
          <span>{words}</span>
          {name === 'outbox' && count > 0 && <b className="count">{count}<span className="sr"> in it</span></b>}
        </button>
      ))}
    </nav>
  )
}
