// Firefox over WebDriver BiDi, on a profile of its own on disk, that can be killed and started again.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

import { expect } from '@playwright/test'
import puppeteer, { type Browser, type Page } from 'puppeteer-core'

import type { Server } from '../../support/server.ts'
import type { Refusal } from '../../support/tab.ts'

const executablePath = process.env.FIREFOX ?? '/usr/bin/firefox-esr'

/** So long a killed browser may take to be gone. */
const GONE_MS = 10_000

export type Preferences = Record<string, string | number | boolean>

export class Firefox {
  #browser: Browser | undefined

  private constructor(
    private readonly profile: string,
    private readonly preferences: Preferences,
  ) {}

  static async make(preferences: Preferences = {}): Promise<Firefox> {
    return new Firefox(await mkdtemp(join(tmpdir(), 'outbox-firefox-')), preferences)
  }

  /** Starts it on what the last one left behind. */
  async start(): Promise<void> {
    this.#browser = await puppeteer.launch({
      browser: 'firefox',
      executablePath,
      headless: true,
      userDataDir: this.profile,
      extraPrefsFirefox: this.preferences,
      // A machine that is busy starts it slowly.
      timeout: 90_000,
      protocolTimeout: 60_000,
    })
  }

  get browser(): Browser {
    if (this.#browser === undefined) throw new Error('Firefox has not been started')
    return this.#browser
  }

  /** Opens a tab, in front of the others. `script` runs before all of the page's. */
  async tab(server: Server, query = '', script?: () => void): Promise<FirefoxTab> {
    const tab = new FirefoxTab(await this.browser.newPage(), `${server.url}/?plain=true&record=true${query}`)
    if (script !== undefined) await tab.page.evaluateOnNewDocument(script)
    await tab.load()
    return tab
  }

  async pages(): Promise<readonly Page[]> {
    return (await this.#browser?.pages()) ?? []
  }

  /** SIGKILL: of the browser's process, whose children then end by themselves, or of all its processes at once. */
  async kill(which: 'browser' | 'all'): Promise<void> {
    const pid = this.browser.process()?.pid
    if (pid === undefined) throw new Error('Firefox is gone already: it cannot be killed')
    // It leads a process group of its own.
    process.kill(which === 'all' ? -pid : pid, 'SIGKILL')
    for (const start = Date.now(); await isGroupThere(pid); await wait(20)) {
      if (Date.now() - start > GONE_MS) throw new Error(`processes of a killed Firefox are there after ${GONE_MS / 1000} s`)
    }
    await this.#browser?.disconnect()
    this.#browser = undefined
  }

  async end(): Promise<void> {
    await this.#browser?.close().catch(() => {})
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Whether any process of the group runs: one that has ended, and was not waited for, does not. */
async function isGroupThere(group: number): Promise<boolean> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    // pid (name) state parent group …
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    const [state, , of] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (Number(of) === group && state !== 'Z') return true
  }
  return false
}

/** What the stories do in a tab of Firefox. */
export class FirefoxTab {
  /** What nobody has caught in the page. */
  readonly errors: string[] = []

  constructor(
    readonly page: Page,
    private readonly url: string,
  ) {
    page.on('pageerror', (error) => this.errors.push(String(error)))
  }

  /** Loads the page under test, anew perhaps. */
  async load(): Promise<void> {
    await this.page.goto(this.url)
    await this.shows()
  }

  /** Waits until the page is there. */
  async shows(): Promise<void> {
    const isThere = () => this.page.evaluate(() => 'todos' in globalThis).catch(() => false)
    await expect.poll(isThere, { message: 'whether the page is loaded' }).toBe(true)
  }

  /** Writes a to-do; resolves when it is durable. */
  async add(text: string): Promise<void> {
    await this.page.evaluate((text) => todos.add(text, { key: text.slice(0, 1) }), text)
  }

  cannotAdd(text: string): Promise<Refusal> {
    return this.page.evaluate((text) => todos.cannotAdd(text), text)
  }

  /** Writes to-dos of this many characters until one is refused; resolves to what was stored and the refusal. */
  fill(length: number): Promise<{ stored: string[]; refusal: Refusal }> {
    return this.page.evaluate((length) => todos.fill(length), length)
  }

  pending(): Promise<string[]> {
    return this.page.evaluate(() => todos.pending())
  }

  isLeading(): Promise<boolean> {
    return this.page.evaluate(() => todos.leading())
  }

  async leads(timeout = 20_000): Promise<void> {
    await expect.poll(() => this.isLeading(), { message: 'whether this tab leads', timeout, intervals: [10] }).toBe(true)
  }

  /** Waits until what is stored is known. */
  async ready(): Promise<void> {
    await this.page.evaluate(() => todos.outbox().ready)
  }

  /** Waits until nothing is pending, for at most so long. */
  async drained(timeout: number): Promise<void> {
    await this.ready()
    await expect.poll(async () => (await this.pending()).length, { message: 'how many are pending', timeout }).toBe(0)
  }

  async close(): Promise<void> {
    await this.page.close()
  }
}
