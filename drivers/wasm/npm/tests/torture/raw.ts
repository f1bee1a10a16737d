// A browser over raw CDP. Playwright emulates focus in its pages, so none of them is ever hidden, and only a hidden
// page can be frozen; and it keeps pages out of the back/forward cache.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'

import { expect } from '@playwright/test'

import { args, executablePath } from '../support/chromium.ts'

/** So long a page may take for one answer. */
const PATIENCE_MS = 30_000

interface Answer {
  id?: number
  result?: unknown
  error?: { message: string }
}

export class RawBrowser {
  /** Those that were not closed. */
  readonly tabs: RawTab[] = []
  readonly #asked = new Map<number, (answer: Answer) => void>()
  #count = 0

  private constructor(
    private readonly child: ChildProcess,
    private readonly profile: string,
  ) {
    let rest = ''
    this.#pipe(4).on('data', (chunk) => {
      const messages = (rest + String(chunk)).split('\0')
      rest = messages.pop() ?? ''
      for (const message of messages) {
        const answer = JSON.parse(message) as Answer
        if (answer.id !== undefined) this.#asked.get(answer.id)?.(answer)
      }
    })
  }

  /** `more`: flags beside those that every browser of the tests has. */
  static async start(more: readonly string[] = []): Promise<RawBrowser> {
    const profile = await mkdtemp(join(tmpdir(), 'outbox-torture-'))
    const own = [...more, '--headless=new', '--remote-debugging-pipe', `--user-data-dir=${profile}`, 'about:blank']
    return new RawBrowser(spawn(executablePath, [...args, ...own], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] }), profile)
  }

  async end(): Promise<void> {
    const ended = new Promise((ended) => this.child.once('exit', ended))
    await this.ask('Browser.close').catch(() => {})
    await ended
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 })
  }

  async ask<T>(method: string, params: object = {}, sessionId?: string): Promise<T> {
    const id = (this.#count += 1)
    const answer = new Promise<Answer>((resolve) => this.#asked.set(id, resolve))
    this.#pipe(3).write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
    const late = new Promise<Answer>((resolve) => setTimeout(resolve, PATIENCE_MS, { error: { message: 'no answer' } }))
    const { error, result } = await Promise.race([answer, late])
    this.#asked.delete(id)
    if (error !== undefined) throw new Error(`${method}: ${error.message}`)
    return result as T
  }

  /** Opens a tab in front of the others: those are hidden then. `script` runs before all of the page's. */
  async tab(url: string, script?: () => void): Promise<RawTab> {
    const { targetId } = await this.ask<{ targetId: string }>('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await this.ask<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true })
    const tab = new RawTab(this, targetId, sessionId)
    this.tabs.push(tab)
    await tab.ask('Page.enable')
    if (script !== undefined) await tab.ask('Page.addScriptToEvaluateOnNewDocument', { source: `(${String(script)})()` })
    await tab.ask('Page.navigate', { url })
    await tab.shows()
    return tab
  }

  /** The CPU time of each renderer so far, in seconds, by its process's id. */
  async renderers(): Promise<Map<number, number>> {
    interface Process { id: number; type: string; cpuTime: number }
    const { processInfo } = await this.ask<{ processInfo: Process[] }>('SystemInfo.getProcessInfo')
    return new Map(processInfo.filter(({ type }) => type === 'renderer').map(({ id, cpuTime }) => [id, cpuTime]))
  }

  #pipe(number: 3): Writable
  #pipe(number: 4): Readable
  #pipe(number: 3 | 4): unknown {
    return this.child.stdio[number]
  }
}

export class RawTab {
  constructor(
    private readonly browser: RawBrowser,
    private readonly target: string,
    private readonly session: string,
  ) {}

  /** Calls a function of the page. */
  async evaluate<R, A = undefined>(body: (given: A) => R, given?: A): Promise<Awaited<R>> {
    const expression = `(${String(body)})(${JSON.stringify(given)})`
    const asked = { expression, awaitPromise: true, returnByValue: true }
    const { result, exceptionDetails } = await this.ask<{ result: { value: unknown }; exceptionDetails?: { exception?: { description?: string } } }>(
      'Runtime.evaluate', asked,
    )
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? 'it threw')
    return result.value as Awaited<R>
  }

  ask<T>(method: string, params: object = {}): Promise<T> {
    return this.browser.ask(method, params, this.session)
  }

  /** Waits until the page is there. */
  async shows(): Promise<void> {
    const isThere = () => this.evaluate(() => 'todos' in globalThis).catch(() => false)
    await expect.poll(isThere, { message: 'whether the page is loaded', timeout: 20_000 }).toBe(true)
  }

  async reload(): Promise<void> {
    await this.evaluate(() => void Object.assign(globalThis, { isOld: true }))
    await this.ask('Page.reload')
    await expect.poll(() => this.evaluate(() => 'isOld' in globalThis).catch(() => true), { message: 'whether the old page is there' }).toBe(false)
    await this.shows()
  }

  async leads(timeout = 10_000): Promise<void> {
    await expect.poll(() => this.evaluate(() => todos.leading()), { message: 'whether this tab leads', timeout, intervals: [20] }).toBe(true)
  }

  async front(): Promise<void> {
    await this.browser.ask('Target.activateTarget', { targetId: this.target })
  }

  /** All of its timers and tasks stop; it must be hidden. */
  async freeze(): Promise<void> {
    await this.ask('Page.setWebLifecycleState', { state: 'frozen' })
  }

  async thaw(): Promise<void> {
    await this.ask('Page.setWebLifecycleState', { state: 'active' })
  }

  /** The process of its page: the one that works when the page is busy, far more than any other. */
  async renderer(): Promise<number> {
    const before = await this.browser.renderers()
    for (let tries = 0; tries < 60; tries += 1) {
      await this.evaluate(() => {
        for (const end = performance.now() + 500; performance.now() < end; );
      })
      const now = await this.browser.renderers()
      const worked = [...now].map(([pid, time]) => ({ pid, time: time - (before.get(pid) ?? 0) }))
      const [most, next] = worked.sort((a, b) => b.time - a.time)
      if (most !== undefined && most.time > 0.5 + 4 * (next?.time ?? 0)) return most.pid
    }
    throw new Error('no renderer works more than the others')
  }

  /** Waits until what is stored is known. */
  async ready(): Promise<void> {
    await this.evaluate(() => todos.outbox().ready)
  }

  /** Waits until nothing is pending, for at most so long. */
  async drained(timeout: number): Promise<void> {
    await this.ready()
    await expect.poll(() => this.evaluate(() => todos.pending().length), { message: 'how many are pending', timeout }).toBe(0)
  }

  async close(): Promise<void> {
    this.browser.tabs.splice(this.browser.tabs.indexOf(this), 1)
    await this.browser.ask('Target.closeTarget', { targetId: this.target })
  }
}
