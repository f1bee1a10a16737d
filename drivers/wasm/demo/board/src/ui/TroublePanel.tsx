// Makes trouble: for the network, the office, the login and this tab. Nothing that was written may be lost by it.

import { useEffect, useSyncExternalStore, type ReactNode } from 'react'

import { cut, isCut, watchNetwork } from '../network'
import { ask, crash, make, useTrouble } from '../trouble'
import type { Visit } from '../visits'
import { useFollowing } from './hooks'

const SLOW_MS = 3_000
const RETRY_AFTER_S = 10

export function TroublePanel({ visits }: { visits: readonly Visit[] }) {
  const { trouble, tally, isKnown } = useTrouble()
  const isFollowing = useFollowing()
  const isOffline = useSyncExternalStore(watchNetwork, isCut)
  // A server that was started again has forgotten what it was asked for.
  useEffect(() => void ask(), [isFollowing])
  return (
    <section className="panel trouble" aria-labelledby="trouble-title">
      <h2 id="trouble-title">Make trouble</h2>
      <Switch words="Offline" hint="No request gets through" isOn={isOffline} onTurn={cut} />
      <Switch words="Slow office" hint={`Every answer takes ${SLOW_MS / 1_000} s`} isOn={trouble.delayMs > 0}
        onTurn={(isOn) => void make({ delayMs: isOn ? SLOW_MS : 0 })} />
      <Switch words="Lose replies" hint="Done, but the answer is lost" isOn={trouble.dropReplies}
        onTurn={(isOn) => void make({ dropReplies: isOn })} />
      <Switch words="Busy office" hint={`Answers 503, Retry-After: ${RETRY_AFTER_S}`} isOn={trouble.retryAfter !== null}
        onTurn={(isOn) => void make({ retryAfter: isOn ? RETRY_AFTER_S : null })} />
      <label className="knob">
        <span><b>Refuse a visit</b><small>For good</small></span>
        <select value={trouble.refuse ?? ''} onChange={({ target }) => void make({ refuse: target.value || null })}>
          <option value="">None</option>
          {visits.map(({ id, customer }) => <option key={id} value={id}>{customer}</option>)}
        </select>
      </label>
      <div className="buttons">
        <button type="button" disabled={trouble.loggedOut} onClick={() => void make({ loggedOut: true })}>
          Expire the login
        </button>
        <button type="button" className="danger" onClick={crash}>Crash this tab</button>
        <button type="button" onClick={() => void open('/', '_blank', 'noopener')}>Open another tab</button>
      </div>
      <dl className="tally" title={isKnown ? undefined : 'The office cannot be reached'} data-known={isKnown || undefined}>
        <Count words="arrived at the office" count={tally.arrived} />
        <Count words="took effect" count={tally.effects} />
        <Count words="repeats, answered as before" count={tally.repeats} />
      </dl>
    </section>
  )
}

interface SwitchProps {
  words: string
  hint: string
  isOn: boolean
  onTurn: (isOn: boolean) => void
}

function Switch({ words, hint, isOn, onTurn }: SwitchProps): ReactNode {
  return (
    <label className="knob">
      <span><b>{words}</b><small>{hint}</small></span>
      <input type="checkbox" role="switch" checked={isOn} onChange={({ target }) => onTurn(target.checked)} />
    </label>
  )
}

function Count({ words, count }: { words: string; count: number }) {
  return <div><dt>{words}</dt><dd>{count}</dd></div>
}
