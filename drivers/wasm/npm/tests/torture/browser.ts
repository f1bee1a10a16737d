// A browser on a profile of its own on disk, that can be killed as by the power switch and started again.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

import { chromium, type BrowserContext, type Page } from '@playwright/test'

import { args, executablePath } from '../support/chromium.ts'
import { keepShell } from '../support/shell.ts'

/** So long a killed browser may take to be gone. */
const GONE_MS = 10_000

export class Browser {
  #context: BrowserContext | undefined

  private constructor(readonly profile: string) {}

  static async make(): Promise<Browser> {
    return new Browser(await mkdtemp(join(tmpdir(), 'outbox-torture-')))
  }

  /** Starts it on what the last one left behind. */
  async start(): Promise<BrowserContext> {
    // It says that another browser uses the profile; that one is dead.
    for (const file of ['SingletonLock', 'SingletonSocket', 'SingletonCookie']) await rm(join(this.profile, file), { force: true })
    this.#context = await chromium.launchPersistentContext(this.profile, { executablePath, args })
    await keepShell(this.#context)
    return this.#context
  }

  /** SIGKILL: of the browser's process, whose children then end by themselves, or of all its processes at once. */
  async kill(which: 'browser' | 'all'): Promise<void> {
    const pids = await this.#pids()
    const [main] = pids
    if (main === undefined) throw new Error('the browser is gone already: it cannot be killed')
    for (const pid of which === 'all' ? pids : [main]) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // A child that was faster.
      }
    }
    for (const start = Date.now(); (await this.#pids()).length > 0; await wait(20)) {
      if (Date.now() - start > GONE_MS) throw new Error(`processes of a killed browser are there after ${GONE_MS / 1000} s`)
    }
    await this.#context?.close().catch(() => {})
  }

  get pages(): readonly Page[] {
    return this.#context?.pages() ?? []
  }

  async end(): Promise<void> {
    await this.#context?.close().catch(() => {})
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 })
  }

  /** The processes on this profile, the browser's first. */
  async #pids(): Promise<number[]> {
    const mine: { pid: number; isChild: boolean }[] = []
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      // Empty for a process that has ended and was not waited for.
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      if (line.includes(`--user-data-dir=${this.profile}`)) mine.push({ pid: Number(pid), isChild: line.includes('--type=') })
    }
    return mine.sort((a, b) => Number(a.isChild) - Number(b.isChild)).map(({ pid }) => pid)
  }
}
