// `cargo xtask bench browser`: both libraries in one page, in one run, each measurement in a fresh profile on disk,
// taking turns. Writes the medians to bench.json, and draws them (plot.ts).
//
// OUTBOX_BENCH_RUNS: how often, default 5. OUTBOX_BENCH_ONLY: a part of a measurement's name.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { chromium, test, type BrowserContext, type CDPSession, type Page } from '@playwright/test'
import { build } from 'esbuild'

import { args, executablePath } from '../support/chromium.ts'
import { Server } from '../support/server.ts'
import { keepShell } from '../support/shell.ts'
import { Figures, SIDES, type Side } from './figures.ts'
import { plot } from './plot.ts'

const RUNS = Number(process.env.OUTBOX_BENCH_RUNS ?? 5)
const ONLY = process.env.OUTBOX_BENCH_ONLY ?? ''
/** So long one measurement may take, if the page answers. */
const LIMIT_MS = 30_000
/** So long one may take if its page no longer answers. */
const PATIENCE_MS = 2 * LIMIT_MS
const here = fileURLToPath(new URL('.', import.meta.url))
const built = join(here, '../../../../../target/browser-bench/page')

declare const bench: typeof import('./page/page.js').bench

/** A page with one of the libraries, in a browser of its own. */
interface World {
  readonly page: Page
  readonly devtools: CDPSession
  offline(is: boolean): Promise<void>
  /** The heap of the page in bytes, array buffers and wasm included. */
  memory(): Promise<number>
}

/** What is measured, by name; each notes figures. */
const measurements: Record<string, (world: World, side: Side, figures: Figures) => Promise<void>> = {
  '2000 items': (world, side, figures) => lifecycle(world, side, figures, 2_000),
  '10000 items': (world, side, figures) => lifecycle(world, side, figures, 10_000),
  'one item, strict': (world, side, figures) => one(world, side, figures, 'strict'),
  'one item, relaxed': (world, side, figures) => one(world, side, figures, 'relaxed'),
  '16 items': sixteen,
  'poison': poison,
}

test('benchmark', async () => {
  await buildPage()
  const figures = new Figures()
  for (let run = 0; run < RUNS; run += 1) {
    for (const [name, measure] of Object.entries(measurements)) {
      if (!name.includes(ONLY)) continue
      // They take turns at being first.
      for (const side of run % 2 === 0 ? SIDES : [...SIDES].reverse()) {
        // What was cut off once is cut off again.
        if (figures.isCut(name, side)) continue
        figures.name = name
        const start = Date.now()
        const isDone = await inBrowser(side, (world) => measure(world, side, figures))
        if (!isDone) figures.cut(side, PATIENCE_MS)
        console.log(`run ${run + 1} of ${RUNS}, ${name}, ${side}: ${((Date.now() - start) / 1000).toFixed(1)} s`)
      }
    }
    if ('stores'.includes(ONLY)) await inBrowser('outbox-offline', async ({ page }) => figures.addStores(await page.evaluate(() => bench.stores([1, 16, 64, 256], 2_048))))
  }
  console.log(figures.table())
  if (ONLY !== '') return
  const text = JSON.stringify({ ...(await circumstances()), ...figures.summary() }, null, 2)
  await writeFile(join(here, '../../bench.json'), `${text}\n`)
  await writeFile(join(here, '../../bench.svg'), plot(JSON.parse(text)))
})

/** Written offline, restored after a reload, sent when the network is back. */
async function lifecycle({ page, offline, memory }: World, side: Side, figures: Figures, count: number): Promise<void> {
  const note = figures.of(side, count)
  const before = await memory()
  await offline(true)
  await page.evaluate(() => bench.start())
  note.start('enqueue')
  note.took('enqueue', await page.evaluate(([count, limit]) => bench.enqueue(count, limit), [count, LIMIT_MS] as const))
  note.bytes('memory', await memory() - before)
  if (figures.isCut(figures.name, side)) return

  await page.reload()
  await ready(page)
  // Chromium does not tell the new page.
  await offline(false)
  await offline(true)
  note.start('restore')
  const restored = await page.evaluate((limit) => bench.start(limit), LIMIT_MS)
  note.took('restore', restored)
  if (restored.left > 0) return
  note.block('restoreBlock', restored)
  const rows = await page.evaluate(() => bench.rows())
  if (rows !== count) throw new Error(`${side}: ${rows} rows of ${count} are there after a reload`)

  await page.evaluate((limit) => bench.listen(limit), LIMIT_MS)
  await offline(false)
  note.start('online')
  const sent = await page.evaluate(() => bench.online())
  note.took('online', sent)
  note.block('onlineBlock', sent)
}

/** One write after the other, beside bare puts. The incumbent cannot be strict. */
async function one({ page, offline }: World, side: Side, figures: Figures, durability: 'strict' | 'relaxed'): Promise<void> {
  if (durability === 'strict' && side === '@tanstack/offline-transactions') return
  const note = figures.of(side)
  await offline(true)
  await page.evaluate((durability) => bench.start(undefined, durability), durability)
  const { own, bare } = await page.evaluate((durability) => bench.one(300, durability), durability)
  note.ms(`one.${durability}`, own)
  note.ms(`one.${durability}.bare`, bare)
}

/** 16 keys, and 100 ms each. */
async function sixteen({ page, offline }: World, side: Side, figures: Figures): Promise<void> {
  const note = figures.of(side)
  await offline(true)
  await page.evaluate((limit) => bench.start(limit, 'strict', 100), LIMIT_MS)
  await page.evaluate(() => bench.enqueue(16))
  await page.evaluate((limit) => bench.listen(limit), LIMIT_MS)
  await offline(false)
  note.took('sixteen', await page.evaluate(() => bench.online()))
}

/** One of 1,000 never succeeds. */
async function poison({ page, offline }: World, side: Side, figures: Figures): Promise<void> {
  const note = figures.of(side)
  await offline(true)
  await page.evaluate(() => bench.startWithPoison(500))
  await page.evaluate(() => bench.enqueue(1_000))
  const rest = page.evaluate((limit) => bench.until(1, limit), 10_000)
  await offline(false)
  note.took('poison', await rest)
}

/** Whether it came to its end: a page that is busy for ever is left. */
async function inBrowser(side: Side, measure: (world: World) => Promise<void>): Promise<boolean> {
  const server = await Server.start()
  // In a private window storage is memory.
  const profile = await mkdtemp(join(tmpdir(), 'outbox-bench-'))
  const context = await chromium.launchPersistentContext(profile, { executablePath, args: [...args, '--enable-precise-memory-info'] })
  try {
    await keepShell(context, { '/bench/': built })
    context.setDefaultTimeout(10_000)
    const page = context.pages()[0] ?? (await context.newPage())
    page.on('pageerror', (error) => console.log(`${side}: ${error}`))
    await page.goto(`${server.url}/bench/index.html?side=${side === 'outbox-offline' ? 'ours' : 'incumbent'}`)
    await ready(page)
    const devtools = await context.newCDPSession(page)
    const work = measure({ page, devtools, offline: (is) => setOffline(context, page, is), memory: () => heapOf(devtools) })
    const late = new Promise<false>((resolve) => setTimeout(resolve, PATIENCE_MS, false).unref())
    return await Promise.race([work.then(() => true), late])
  } finally {
    await context.close()
    await server.stop()
    await rm(profile, { recursive: true, force: true })
  }
}

/** Resolves when the page knows it. */
async function setOffline(context: BrowserContext, page: Page, is: boolean): Promise<void> {
  await context.setOffline(is)
  await page.waitForFunction((is) => navigator.onLine === !is, is, { polling: 20 })
}

async function ready(page: Page): Promise<void> {
  await page.waitForFunction(() => 'bench' in globalThis)
}

async function heapOf(devtools: CDPSession): Promise<number> {
  await devtools.send('HeapProfiler.collectGarbage')
  const { usedSize, backingStorageSize = 0 } = (await devtools.send('Runtime.getHeapUsage')) as { usedSize: number; backingStorageSize?: number }
  return usedSize + backingStorageSize
}

/** Both libraries as an app has them: as they are published, bundled, in production mode. */
async function buildPage(): Promise<void> {
  await build({
    absWorkingDir: here,
    entryPoints: ['page/page.js', 'page/log-worker.js', 'page/index.html'],
    loader: { '.html': 'copy' },
    outdir: built,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    alias: { 'outbox-offline': join(here, '../../dist/index.js') },
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'warning',
  })
}

async function circumstances(): Promise<object> {
  const browser = await chromium.launch({ executablePath, args })
  const version = browser.version()
  await browser.close()
  const manifest = async (path: string) => JSON.parse(await readFile(join(here, path), 'utf8')) as { name: string; version: string }
  const packages = await Promise.all(
    ['../../package.json', 'node_modules/@tanstack/offline-transactions/package.json', 'node_modules/@tanstack/db/package.json'].map(manifest),
  )
  return {
    chromium: version,
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? 'unknown',
    runs: RUNS,
    packages: Object.fromEntries(packages.map(({ name, version }) => [name, version])),
  }
}
