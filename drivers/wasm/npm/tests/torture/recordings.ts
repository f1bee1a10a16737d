// The flight recorder's recordings of a run. A run that ends badly leaves them in its folder; of a long one that
// ends well, the simulator replays them all: in the browser the core did what it does there, answer for answer.
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { expect, type TestInfo } from '@playwright/test'

import { IS_LONG } from './rounds.ts'

/** So long a tab may take to hand over its recording: one that is frozen never does. */
const PATIENCE_MS = 2_000

const top = fileURLToPath(new URL('../../../../..', import.meta.url))
/** Of the repository, or another that is built already. */
const [program = '', ...args] = (process.env.OUTBOX_SIM ?? 'cargo sim').split(' ')

/** A page of any browser, with the page under test in it or without. */
interface Recorded {
  evaluate(body: () => string | undefined): Promise<string | undefined>
}

export class Recordings {
  readonly #taken = new Map<string, string>()

  constructor(private readonly info: TestInfo) {}

  /** Keeps what the pages have recorded so far, under a name. */
  async take(name: string, pages: readonly Recorded[]): Promise<void> {
    await Promise.all(pages.map(async (page, index) => {
      const late = new Promise<undefined>((resolve) => setTimeout(resolve, PATIENCE_MS, undefined))
      const recording = await Promise.race([page.evaluate(() => todos.recording()).catch(() => undefined), late])
      if (recording !== undefined) this.#taken.set(`${name}, tab ${index + 1}`, recording)
    }))
  }

  /** Of a test that fails, says where they are; of a long one that does not, replays them. */
  async finish(): Promise<void> {
    const hasFailed = this.info.errors.length > 0
    if ((!hasFailed && !IS_LONG) || this.#taken.size === 0) return
    await mkdir(this.info.outputDir, { recursive: true })
    const departures: string[] = []
    for (const [name, recording] of this.#taken) {
      const file = join(this.info.outputDir, `${name.replace(/\W+/g, '-')}.recording.json`)
      await writeFile(file, recording)
      if (!hasFailed) departures.push(...(await departureOf(file)))
    }
    console.log(`${this.#taken.size} recordings ${hasFailed ? 'are in' : 'were replayed from'} ${this.info.outputDir}`)
    expect(departures, 'where a replay departs from what was recorded').toEqual([])
  }
}

/** What `cargo sim replay` has to say against a recording. */
async function departureOf(file: string): Promise<string[]> {
  try {
    await promisify(execFile)(program, [...args, 'replay', file], { cwd: top })
    return []
  } catch (error) {
    const { stdout, stderr, message } = error as Error & { stdout?: string; stderr?: string }
    return [`${message}\n${stdout ?? ''}${stderr ?? ''}`]
  }
}
