// The picture of the figures: one row per measurement, two bars in it, each row on a scale of its own. Plain SVG;
// its colours follow the reader's theme.
import { SIDES, type Figure, type Side, type Summary } from './figures.ts'

interface Row {
  figure: string
  what: string
  unit: 'ms' | 'MB'
}

const ROWS: Row[] = [
  { figure: 'enqueue.2000', what: '2,000 writes, until all are stored', unit: 'ms' },
  { figure: 'restore.2000', what: '2,000 stored: restart until restored', unit: 'ms' },
  { figure: 'restoreBlock.2000', what: '… longest block of the page in that', unit: 'ms' },
  { figure: 'online.2000', what: '2,000 stored: online until all are sent', unit: 'ms' },
  { figure: 'onlineBlock.2000', what: '… longest block of the page in that', unit: 'ms' },
  { figure: 'memory.2000', what: '2,000 pending: memory', unit: 'MB' },
  { figure: 'enqueue.10000', what: '10,000 writes, until all are stored', unit: 'ms' },
  { figure: 'restore.10000', what: '10,000 stored: restart until restored', unit: 'ms' },
  { figure: 'online.10000', what: '10,000 stored: online until all are sent', unit: 'ms' },
  { figure: 'sixteen', what: '16 keys, 100 ms each', unit: 'ms' },
  { figure: 'poison', what: 'one of 1,000 fails: until the others are sent', unit: 'ms' },
  { figure: 'one.relaxed', what: 'one write, relaxed durability', unit: 'ms' },
]

const WIDTH = 860
const LABEL = 320
const BAR = 10
const ROW = 2 * BAR + 20
const TOP = 62
const FULL = WIDTH - LABEL - 190

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .small { font-size: 11px; fill: #59636e }
  .own { fill: #1a7f5a } .other { fill: #b0762b }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 } .own { fill: #3fb98a } .other { fill: #d9a55b }
  }`

export function plot(summary: Summary & { chromium: string; cores: number; runs: number; packages: Record<string, string> }): string {
  const rows = ROWS.filter(({ figure }) => summary.figures[figure] !== undefined)
  const height = TOP + rows.length * ROW + 30
  const [own, other] = SIDES
  const legend = [own, other].map((side, index) => {
    const x = LABEL + index * 170
    const name = `${side.split('/').pop()} ${summary.packages[side] ?? ''}`
    return `<rect class="${className(side)}" x="${x}" y="26" width="10" height="10" rx="2"/><text x="${x + 16}" y="35">${name}</text>`
  })
  const about = `Shorter is better. Medians of ${summary.runs} runs (one, where it was cut off) of both in one page, Chromium ${summary.chromium}, ${summary.cores} cores.`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Figures of both libraries">
<style>${STYLE}
</style>
${legend.join('\n')}
${rows.map((row, index) => drawn(row, summary.figures[row.figure] ?? {}, TOP + index * ROW)).join('\n')}
<text class="small" x="4" y="${height - 8}">${about}</text>
</svg>
`
}

function drawn({ what, unit }: Row, figures: Partial<Record<Side, Figure>>, y: number): string {
  const most = Math.max(...SIDES.map((side) => figures[side]?.median ?? 0), 1e-9)
  const bars = SIDES.map((side, index) => {
    const figure = figures[side]
    const top = y + index * (BAR + 3)
    if (figure === undefined) return `<text class="small" x="${LABEL}" y="${top + 9}">not measured</text>`
    const width = Math.max(2, Math.round((figure.median / most) * FULL))
    const end = `<text class="small" x="${LABEL + width + 6}" y="${top + 9}">${shown(figure, unit)}</text>`
    return `<rect class="${className(side)}" x="${LABEL}" y="${top}" width="${width}" height="${BAR}" rx="2"/>${end}`
  })
  return `<text x="4" y="${y + 16}">${what}</text>${bars.join('')}`
}

const className = (side: Side) => (side === SIDES[0] ? 'own' : 'other')

/** A block of 0 means that none was over 50 ms: shorter ones are not told. */
function shown({ median, left }: Figure, unit: Row['unit']): string {
  const value = unit === 'MB' ? `${(median / 1e6).toFixed(1)} MB`
    : median === 0 ? 'under 50 ms'
    : median < 10 ? `${median.toFixed(1)} ms`
    : `${Math.round(median).toLocaleString('en')} ms`
  return left === undefined || left <= 1 ? value : `over ${value}, ${left.toLocaleString('en')} left`
}
