// What the core does, as it does it: a lane for each visit, a bar for each change in the colour of its state.

import { useEffect, useRef, useState, useSyncExternalStore } from 'react'

import { lines, watchLines } from '../flight'
import { outbox } from '../outbox'
import { Download } from './icons'
import { LEGEND, paint } from './paint'

const FRAME_MS = 60
/** When nothing moves, or somebody would rather that it did not. */
const CALM_FRAME_MS = 500

export function Timeline() {
  const [isHeld, setHeld] = useState(false)
  return (
    <section className="timeline" aria-labelledby="timeline-title">
      <header>
        <h2 id="timeline-title">What the core does</h2>
        <ul className="legend" aria-label="Colours">
          {LEGEND.map(([state, words]) => (
            <li key={state}><i style={{ background: `var(--${state})` }} aria-hidden="true" />{words}</li>
          ))}
        </ul>
        <button type="button" aria-pressed={isHeld} onClick={() => setHeld(!isHeld)}>{isHeld ? 'Go on' : 'Hold'}</button>
        <button type="button" onClick={download}><Download />Recording</button>
      </header>
      <Lanes isHeld={isHeld} />
      <Log />
    </section>
  )
}

function Lanes({ isHeld }: { isHeld: boolean }) {
  const box = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    if (isHeld) return
    const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches
    let timer: ReturnType<typeof setTimeout> | undefined
    const draw = () => {
      const isMoving = canvas.current !== null && box.current !== null && !document.hidden
        && paint(canvas.current, box.current, Date.now())
      timer = setTimeout(draw, isMoving && !isCalm ? FRAME_MS : CALM_FRAME_MS)
    }
    draw()
    return () => clearTimeout(timer)
  }, [isHeld])
  return (
    <div className="lanes" ref={box} tabIndex={0} role="group" aria-label="Lanes, scrollable">
      <canvas ref={canvas} role="img"
        aria-label="Each change as a bar over the last 45 seconds; the list beside it says the same in words." />
    </div>
  )
}

function Log() {
  const shown = useSyncExternalStore(watchLines, () => lines)
  return (
    <div className="log" tabIndex={0} role="group" aria-label="What happened, newest first">
      {shown.length === 0 && <p className="empty">Nothing has happened yet. Move a visit.</p>}
      <ol>
        {shown.map(({ at, text, tone }, index) => (
          <li key={shown.length - index} data-tone={tone}><time>{new Date(at).toLocaleTimeString('en-GB')}</time>{text}</li>
        ))}
      </ol>
    </div>
  )
}

/** Everything that the core of this tab was told, for `cargo sim replay`. */
function download(): void {
  const recording = outbox.exportRecording()
  if (recording === undefined) return
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([recording], { type: 'application/json' }))
  link.download = `outbox-recording-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.json`
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}
