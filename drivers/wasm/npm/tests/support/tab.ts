// A tab with the page under test in it: what a user does there, and what they can wait for.
import { expect, type BrowserContext, type Frame, type Page } from '@playwright/test'

import type { Server } from './server.ts'

/** How the page is built and started; see page/app.js. */
export interface How {
  /** The new build no longer has the mutator `addTodo`. */
  build?: 'old' | 'new'
  beforeRetry?: 'drop the stale' | 'squash' | 'shout' | 'throw'
  storage?: 'indexeddb' | 'memory' | 'own'
  /** Nothing is started before `start()`. */
  idle?: boolean
  /** The server's list is not asked for after each commit. */
  plain?: boolean
  /** The flight recorder is on. */
  record?: boolean
  /** Of an attempt, in ms. */
  timeout?: number
}

/** What a waiter was told: the outcome, or the error. */
export type Told = { status: string; result: unknown; resultKnown: boolean } | { error: string; message: string }

/** An error as a page shows it. */
export interface Refusal {
  error: string
  code: string | undefined
  message: string
}

export class Tab {
  /** Everything that the page said on its console, for a test that failed. */
  readonly console: string[] = []

  private constructor(
    readonly page: Page,
    private readonly server: Server,
    /** Where the page under test runs. */
    private frame: Page | Frame = page,
  ) {
    page.on('console', (message) => this.console.push(message.text()))
    page.on('pageerror', (error) => this.console.push(String(error)))
  }

  static async open(context: BrowserContext, server: Server, how: How = {}): Promise<Tab> {
    const tab = new Tab(await context.newPage(), server)
    await tab.load(how)
    return tab
  }

  /** In a frame that may store nothing: sandboxed, of no origin. */
  static async openSandboxed(context: BrowserContext, server: Server, how: How = {}): Promise<Tab> {
    const page = await context.newPage()
    const tab = new Tab(page, server)
    await page.goto(`${server.url}/sandbox.html?${query(how)}`)
    tab.frame = page.frames()[1] ?? page
    await tab.frame.waitForFunction(() => 'todos' in globalThis, undefined, { polling: 20 })
    return tab
  }

  /** Loads the page, or another build of it, in this tab. */
  async load(how: How = {}): Promise<void> {
    await this.page.goto(`${this.server.url}/?${query(how)}`)
    await this.page.waitForFunction(() => 'todos' in globalThis, undefined, { polling: 20 })
  }

  async reload(): Promise<void> {
    await this.page.reload()
    await this.page.waitForFunction(() => 'todos' in globalThis, undefined, { polling: 20 })
  }

  /** Writes a to-do; the promise resolves to the item's id when it is durable. */
  add(text: string, options: { id?: string; key?: string } = {}): Promise<string> {
    return this.frame.evaluate(([text, options]) => todos.add(text, options), [text, options] as const)
  }

  /** Writes to-dos of one key in one turn; resolves to their ids when all are durable. */
  addAll(...texts: string[]): Promise<string[]> {
    return this.frame.evaluate((texts) => todos.addAll(texts), texts)
  }

  /** Writes a to-do that cannot be stored. */
  cannotAdd(text: string): Promise<Refusal> {
    return this.frame.evaluate((text) => todos.cannotAdd(text), text)
  }

  /** Writes to-dos of this many characters, so many at once, until one is refused; resolves to what was stored and the refusal. */
  fill(length: number, atOnce = 1): Promise<{ stored: string[]; refusal: Refusal }> {
    return this.frame.evaluate(([length, atOnce]) => todos.fill(length, atOnce), [length, atOnce] as const)
  }

  /** What the waiter of an item of this page was told. */
  told(id: string): Promise<Told> {
    return this.frame.evaluate((id) => todos.told(id), id)
  }

  /** Waits until the list on the page, the server's and what is pending, is exactly this. */
  async shows(...texts: string[]): Promise<void> {
    await expect.poll(() => this.list(), { message: 'the list on the page' }).toEqual(texts)
  }

  list(): Promise<string[]> {
    return this.frame.evaluate(() => todos.list())
  }

  /** Waits until exactly these are pending, in this order. */
  async hasPending(...texts: string[]): Promise<void> {
    await expect.poll(() => this.pending(), { message: 'what is pending' }).toEqual(texts)
  }

  pending(): Promise<string[]> {
    return this.frame.evaluate(() => todos.pending())
  }

  /** Waits until the failure records are exactly of these. */
  async hasFailed(...texts: string[]): Promise<void> {
    const failed = () => this.frame.evaluate(() => todos.failed())
    await expect.poll(failed, { message: 'what has failed for good' }).toEqual(texts)
  }

  async retryFailure(id: string): Promise<void> {
    await this.frame.evaluate((id) => todos.outbox().retryFailure(id).then(() => {}), id)
  }

  async dismissFailure(id: string): Promise<void> {
    await this.frame.evaluate((id) => todos.outbox().dismissFailure(id).then(() => {}), id)
  }

  remove(id: string): Promise<boolean> {
    return this.frame.evaluate((id) => todos.outbox().removeFromOutbox(id), id)
  }

  async pause(reason: string): Promise<void> {
    await this.frame.evaluate((reason) => todos.outbox().pause(reason).then(() => {}), reason)
  }

  async resume(reason: string): Promise<void> {
    await this.frame.evaluate((reason) => todos.outbox().resume(reason).then(() => {}), reason)
  }

  pausedFor(): Promise<readonly string[]> {
    return this.frame.evaluate(() => todos.outbox().getSnapshot().paused)
  }

  /** Why an item is not being sent. */
  whyNot(id: string): Promise<unknown> {
    return this.frame.evaluate((id) => todos.whyNot(id), id)
  }

  /** Waits until what is stored is known. */
  async ready(): Promise<void> {
    await this.frame.evaluate(() => todos.outbox().ready)
  }

  /** Waits until nothing is pending, for at most so long. */
  async drained(timeout: number): Promise<void> {
    await this.ready()
    await expect.poll(async () => (await this.pending()).length, { message: 'how many are pending', timeout }).toBe(0)
  }

  /** Waits until this tab leads. */
  async leads(): Promise<void> {
    await expect.poll(() => this.frame.evaluate(() => todos.leading()), { message: 'whether this tab leads' }).toBe(true)
  }

  isLeading(): Promise<boolean> {
    return this.frame.evaluate(() => todos.leading())
  }

  /** Waits until an event of this type was seen, and returns it. */
  async event(type: string): Promise<Record<string, unknown>> {
    const seen = () => this.events(type)
    await expect.poll(async () => (await seen()).length, { message: `events "${type}"` }).toBeGreaterThan(0)
    return (await seen())[0] ?? {}
  }

  events(type: string): Promise<Record<string, unknown>[]> {
    return this.frame.evaluate((type) => todos.events(type), type)
  }

  async close(): Promise<void> {
    await this.page.close()
  }

  /** The renderer dies, as on a fault or for want of memory: no handler of the page runs. */
  async crash(): Promise<void> {
    const crashed = this.page.waitForEvent('crash')
    const session = await this.page.context().newCDPSession(this.page)
    // Never answered: who should answer is dead.
    session.send('Page.crash').catch(() => {})
    await crashed
    // Playwright cannot set a context offline that has a dead page.
    await this.page.close()
  }

  /** Calls a function of the page. */
  evaluate<R>(body: () => R): Promise<Awaited<R>> {
    return this.frame.evaluate(body) as Promise<Awaited<R>>
  }
}

function query(how: How): string {
  return new URLSearchParams(Object.entries(how).map(([name, value]) => [name, String(value)])).toString()
}
