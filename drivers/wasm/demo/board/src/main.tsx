// Starts the board: what is pending shows from the first paint on.

import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { OutboxProvider } from 'outbox-offline/react'

import './trouble' // before the outbox: a crash is heard of by nobody
import { follow } from './flight'
import { outbox } from './outbox'
import './style/base.css'
import './style/board.css'
import './style/side.css'
import { App } from './ui/App'
import { visits } from './visits'

/** How long the first paint waits for what is stored. */
const PATIENCE_MS = 3_000

const root = createRoot(document.getElementById('root') as HTMLElement)

visits.preload().catch(() => undefined)
// Without storage there is no outbox: the board says so, and shows what it can.
const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))
await Promise.race([outbox.ready.catch(() => undefined), patience])
follow()
root.render(<StrictMode><OutboxProvider outbox={outbox}><App /></OutboxProvider></StrictMode>)

if ('serviceWorker' in navigator) void navigator.serviceWorker.register('/sw.js')
