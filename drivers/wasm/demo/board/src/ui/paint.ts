// The timeline's picture, in the manner and the colours of the simulator's viewer.

import { bands, tracks, type End, type State, type Stretch, type Track } from '../flight'
import { customerOf } from '../words'

export const LEGEND: readonly (readonly [State, string])[] = [
  ['writing', 'being stored'], ['stored', 'stored'], ['claiming', 'claimed'], ['inFlight', 'in flight'],
  ['backoff', 'tried again later'], ['settling', 'done'], ['removing', 'taken back'],
]

/** What is shown, in ms. */
const WINDOW = 45_000
const AXIS = 24
const STRIP = 22
const ROW = 20
const GAP = 6
/** So short a state can still be seen. */
const THIN = 2

interface Lane {
  name: string
  rows: Track[][]
}

interface Picture {
  g: CanvasRenderingContext2D
  width: number
  gutter: number
  now: number
  color(name: string): string
  x(at: number): number
}

/** Paints the time before `now`; whether there is anything in it that moves. */
export function paint(canvas: HTMLCanvasElement, box: HTMLElement, now: number): boolean {
  const width = box.clientWidth
  // On a phone another part may be shown.
  if (width === 0) return false
  const lanes = lanesOf(now)
  const needed = lanes.reduce((sum, { rows }) => sum + rows.length * ROW + GAP, AXIS + STRIP + GAP)
  const height = Math.max(box.clientHeight, needed)
  const g = surface(canvas, width, height)
  if (g === null) return false
  const style = getComputedStyle(canvas)
  const gutter = width < 560 ? 92 : 148
  const picture: Picture = {
    g, width, gutter, now,
    color: (name) => style.getPropertyValue(`--${name}`).trim(),
    x: (at) => gutter + (1 - (now - at) / WINDOW) * (width - gutter - 12),
  }
  paintAxis(picture, height)
  paintBands(picture, height)
  let y = AXIS + STRIP + GAP
  for (const lane of lanes) y = paintLane(picture, lane, y)
  return lanes.length > 0
}

/** The lanes that have something to show, in the order in which they began. */
function lanesOf(now: number): Lane[] {
  const lanes = new Map<string, Lane>()
  for (const track of tracks.values()) {
    if (track.end !== null && track.end.at < now - WINDOW) continue
    const lane = lanes.get(track.lane) ?? { name: customerOf(track.lane), rows: [] }
    lanes.set(track.lane, lane)
    const from = track.spans[0]?.from ?? now
    const row = lane.rows.find((row) => (row.at(-1)?.end?.at ?? Infinity) < from - 600)
    if (row !== undefined) row.push(track)
    else lane.rows.push([track])
  }
  return [...lanes.values()]
}

function surface(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D | null {
  const ratio = devicePixelRatio || 1
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)]
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w
    canvas.height = h
    canvas.style.height = `${height}px`
  }
  const g = canvas.getContext('2d')
  g?.setTransform(ratio, 0, 0, ratio, 0, 0)
  g?.clearRect(0, 0, width, height)
  if (g !== null) {
    g.font = '11px system-ui, sans-serif'
    g.textBaseline = 'middle'
  }
  return g
}

function paintAxis({ g, width, gutter, now, color, x }: Picture, height: number): void {
  g.fillStyle = color('page')
  g.fillRect(gutter, AXIS, width - gutter, height - AXIS)
  const step = width - gutter < 420 ? 20 : 10
  for (let ago = 0; ago <= WINDOW / 1_000; ago += step) {
    const at = x(now - ago * 1_000)
    g.fillStyle = color('line')
    g.fillRect(at, AXIS - 6, 1, height)
    g.fillStyle = color('dim')
    g.textAlign = ago === 0 ? 'right' : 'center'
    if (at > gutter + 10) g.fillText(ago === 0 ? 'now' : `−${ago} s`, ago === 0 ? at + 8 : at, 10)
  }
  g.textAlign = 'left'
}

/** Who leads, when it was offline, when it was paused. */
function paintBands(picture: Picture, height: number): void {
  const { g, color } = picture
  g.fillStyle = color('dim')
  g.fillText('this tab', 10, AXIS + 9)
  stretches(picture, bands.leading, (x, width) => {
    g.fillStyle = color('leads')
    g.fillRect(x, AXIS, width, 4)
  })
  const label = (text: string, name: string) => (x: number, width: number) => {
    g.globalAlpha = 0.1
    g.fillStyle = color(name)
    g.fillRect(x, AXIS + 4, width, height)
    g.globalAlpha = 1
    g.fillRect(x, AXIS + 5, width, 2)
    if (width > 54) g.fillText(text, Math.max(x + 4, picture.gutter + 4), AXIS + 16)
  }
  stretches(picture, bands.offline, label('offline', 'bad'))
  stretches(picture, bands.paused, label('paused', 'parked'))
}

/** The stretches that can be seen: where each begins, and how wide it is. */
function stretches<S extends Stretch>(
  { x, now, gutter, width }: Picture, list: readonly S[], each: (x: number, width: number, stretch: S) => void,
): void {
  for (const stretch of list) {
    const left = Math.max(x(stretch.from), gutter)
    const right = Math.min(x(stretch.to ?? now), width)
    if (right > gutter) each(left, Math.max(right - left, THIN), stretch)
  }
}

function paintLane(picture: Picture, { name, rows }: Lane, top: number): number {
  const { g, width, gutter, color } = picture
  g.fillStyle = color('faint')
  g.fillRect(gutter, top - GAP / 2, width - gutter, 1)
  g.fillStyle = color('text')
  g.font = '600 12px system-ui, sans-serif'
  g.fillText(fitting(g, name, gutter - 18), 10, top + ROW / 2)
  g.font = '11px system-ui, sans-serif'
  g.save()
  g.beginPath()
  g.rect(gutter, top - GAP, width - gutter, rows.length * ROW + 2 * GAP)
  g.clip()
  rows.forEach((row, index) => row.forEach((track) => paintTrack(picture, track, top + index * ROW)))
  g.restore()
  return top + rows.length * ROW + GAP
}

function paintTrack(picture: Picture, { spans, failed, title, end }: Track, y: number): void {
  const { g, color, x } = picture
  const first = x(spans[0]?.from ?? 0)
  stretches(picture, spans, (left, width, { state }) => {
    const thin = state === 'stored' || state === 'backoff'
    g.fillStyle = color(state)
    g.beginPath()
    g.roundRect(left, y + (thin ? 6 : 3), width, ROW - (thin ? 12 : 6), 2)
    g.fill()
  })
  for (const at of failed) {
    const middle = x(at)
    g.fillStyle = color('bad')
    g.beginPath()
    g.moveTo(middle, y + 4)
    g.lineTo(middle + 5, y + 14)
    g.lineTo(middle - 5, y + 14)
    g.fill()
  }
  if (end !== null) paintEnd(picture, end, y)
  // The lane says whose visit it is.
  const words = title.slice(title.indexOf(':') + 1).trim()
  const room = x(picture.now) - first
  if (end !== null) {
    g.fillStyle = color('dim')
    g.fillText(words, x(end.at) + 10, y + ROW / 2 + 0.5)
  } else if (room > g.measureText(words).width + 30) label(picture, words, Math.max(first, picture.gutter) + 6, y)
}

/** A word on the bar, in a field of its own so that it can be read on every colour. */
function label({ g, color }: Picture, words: string, x: number, y: number): void {
  g.fillStyle = color('page')
  g.beginPath()
  g.roundRect(x - 3, y + 3, g.measureText(words).width + 6, ROW - 6, 3)
  g.fill()
  g.fillStyle = color('text')
  g.fillText(words, x, y + ROW / 2 + 0.5)
}

function paintEnd({ g, color, x }: Picture, { at, kind }: { at: number; kind: End }, y: number): void {
  const middle = x(at)
  g.fillStyle = g.strokeStyle = color(kind === 'committed' ? 'good' : kind === 'dropped' ? 'bad' : 'dim')
  g.lineWidth = 2
  g.beginPath()
  if (kind === 'dropped') g.rect(middle - 4, y + ROW / 2 - 4, 8, 8)
  else g.arc(middle, y + ROW / 2, 4.5, 0, 7)
  if (kind === 'removed') g.stroke()
  else g.fill()
}

function fitting(g: CanvasRenderingContext2D, text: string, room: number): string {
  if (g.measureText(text).width <= room) return text
  let cut = text
  while (cut.length > 1 && g.measureText(`${cut}…`).width > room) cut = cut.slice(0, -1)
  return `${cut}…`
}
