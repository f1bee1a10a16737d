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

  static async start(): Promise<RawBrowser> {
    const profile = await mkdtemp(join(tmpdir(), 'outbox-torture-'))
    const own = ['--headless=new', '--remote-debugging-pipe', `--user-data-dir=${profile}`, 'about:blank']
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

  /** Opens a tab in front of the others: those are hidden then. */
  async tab(url: string): Promise<RawTab> {
    const { targetId } = await this.ask<{ targetId: string }>('Target.createTarget', { url })
    const { sessionId } = await this.ask<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true })
    const tab = new RawTab(this, targetId, sessionId)
    await tab.shows()
    return tab
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

  async close(): Promise<void> {
    await this.browser.ask('Target.closeTarget', { targetId: this.target })
  }
}
