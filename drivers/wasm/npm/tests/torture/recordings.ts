// The flight recorder's recordings of a run, saved if it ends badly: `cargo sim replay FILE` reads them.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { TestInfo } from '@playwright/test'

import type { Tab } from '../support/tab.ts'

/** So long a tab may take to hand over its recording: one that is frozen never does. */
const PATIENCE_MS = 2_000

export class Recordings {
  readonly #taken = new Map<string, string>()
  #hasFailed = false

  constructor(private readonly info: TestInfo) {}

  /** Keeps what the tabs have recorded so far, under a name. */
  async take(name: string, tabs: readonly Tab[]): Promise<void> {
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, PATIENCE_MS, undefined))
    const all = await Promise.all(tabs.map((tab) => Promise.race([tab.page.evaluate(() => todos.recording()).catch(() => undefined), late])))
    all.forEach((recording, index) => {
      if (recording !== undefined) this.#taken.set(`${name}, tab ${index + 1}`, recording)
    })
  }

  /** Runs checks; if they fail, the tabs' recordings are taken first. */
  async expectAll(tabs: readonly Tab[], checks: () => Promise<void>): Promise<void> {
    try {
      await checks()
    } catch (error) {
      this.#hasFailed = true
      await this.take('at the end', tabs)
      throw error
    }
  }

  /** Writes all that was taken into the test's folder, and says where, if the test is failing. */
  async saveIfFailed(): Promise<void> {
    if (!this.#hasFailed && this.info.errors.length === 0) return
    await mkdir(this.info.outputDir, { recursive: true })
    for (const [name, recording] of this.#taken) {
      await writeFile(join(this.info.outputDir, `${name.replace(/\W+/g, '-')}.recording.json`), recording)
    }
    console.log(`${this.#taken.size} recordings are in ${this.info.outputDir}`)
  }
}
