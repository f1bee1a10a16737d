// The top: what this is, how it stands with what was written, a new visit, light or dark.

import { useSyncExternalStore } from 'react'
import { useOutbox, type UseOutbox } from 'outbox-offline/react'

import { LOGIN } from '../mutations'
import { useFollowing } from './hooks'
import { Moon, Plus, Sun } from './icons'

export function Header({ onNew, onSummary }: { onNew: () => void; onSummary: () => void }) {
  const outbox = useOutbox()
  const isFollowing = useFollowing()
  const { tone, words } = summary(outbox, isFollowing)
  return (
    <header className="top">
      <img src="/icon.svg" width="28" height="28" alt="" />
      <div className="title">
        <h1>Field service</h1>
        <p>{new Date().toLocaleDateString('en-GB', { weekday: 'long', day: 'numeric', month: 'long' })}</p>
      </div>
      <button type="button" className="summary" data-tone={tone} onClick={onSummary}
        aria-label={`${words}. Show the outbox`}>
        <i aria-hidden="true" /><span>{words}</span>
      </button>
      <span className="role" title="Of all open tabs one sends; another takes over when it is closed.">
        {outbox.leading ? 'This tab sends' : 'Another tab sends'}
      </span>
      <ThemeButton />
      <button type="button" className="primary" onClick={onNew}><Plus /><span>New visit</span></button>
    </header>
  )
}

/** How it stands, in a few words. */
export function summary(outbox: UseOutbox, isFollowing: boolean): { tone: string; words: string } {
  const { status, pendingCount, failures, online, paused } = outbox
  const waiting = pendingCount === 1 ? '1 change' : `${pendingCount} changes`
  if (status === 'failed') return { tone: 'bad', words: 'Nothing can be stored here' }
  const and = (words: string) => pendingCount > 0 ? ` · ${waiting} ${words}` : ''
  if (paused.includes(LOGIN)) return { tone: 'warn', words: `Logged out${and('kept')}` }
  if (!online) return { tone: 'off', words: `Offline${and('kept')}` }
  if (failures.length > 0) return { tone: 'bad', words: `${failures.length} refused${and('waiting')}` }
  if (pendingCount > 0) return { tone: 'busy', words: `${waiting} on the way` }
  if (!isFollowing) return { tone: 'off', words: 'The office is not there' }
  return { tone: 'good', words: 'The office has everything' }
}

/** theme.js says which theme it is. */
const page = document.documentElement

function watchTheme(listener: () => void): () => void {
  const observer = new MutationObserver(listener)
  observer.observe(page, { attributeFilter: ['data-theme'] })
  return () => observer.disconnect()
}

const isDarkNow = () => page.dataset.theme === 'dark'

function choose(theme: 'light' | 'dark'): void {
  page.dataset.theme = theme
  localStorage.setItem('theme', theme)
}

function ThemeButton() {
  const isDark = useSyncExternalStore(watchTheme, isDarkNow)
  return (
    <button type="button" className="plain" onClick={() => choose(isDark ? 'light' : 'dark')}
      aria-label={isDark ? 'Light colours' : 'Dark colours'}>
      {isDark ? <Sun /> : <Moon />}
    </button>
  )
}
