// For screen readers: how it stands with what was written, said when it has changed and stayed so for a moment.

import { useEffect, useState } from 'react'
import { useOutbox } from 'outbox-offline/react'

import { summary } from './Header'
import { useFollowing } from './hooks'

const QUIET_MS = 900

export function Announcer() {
  const outbox = useOutbox()
  const { words } = summary(outbox, useFollowing())
  const [said, setSaid] = useState('')
  useEffect(() => {
    const timer = setTimeout(() => setSaid(words), QUIET_MS)
    return () => clearTimeout(timer)
  }, [words])
  return <div className="sr" role="status" aria-live="polite">{said}</div>
}
