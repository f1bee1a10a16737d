// A running office: the demo's server with a database of its own.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

import { expect } from '@playwright/test'

const top = resolve(import.meta.dirname, '../../../../..')
const program = resolve(top, process.env.CARGO_TARGET_DIR ?? 'target', 'debug/outbox-demo-server')
const page = join(top, 'drivers/wasm/demo/board/dist')

/** A visit as the office has it. */
export interface Visit {
  id: string
  customer: string
  status: string
  assignee: string
  note: string
}

export class Office {
  private constructor(
    private readonly folder: string,
    private process: ChildProcess,
    /** Its origin. */
    readonly url: string,
  ) {}

  static async start(): Promise<Office> {
    const folder = mkdtempSync(join(tmpdir(), 'outbox-demo-'))
    const { process, url } = await run(folder, '0')
    return new Office(folder, process, url)
  }

  /** It is gone in mid-sentence. */
  async die(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return
    this.process.kill('SIGKILL')
    await once(this.process, 'exit')
  }

  /** It is there again, where it was and with what it had. */
  async comeBack(): Promise<void> {
    const { process } = await run(this.folder, new URL(this.url).port)
    this.process = process
  }

  async stop(): Promise<void> {
    await this.die()
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** All visits: the first event of its stream. */
  async visits(): Promise<Visit[]> {
    const ending = new AbortController()
    const response = await fetch(`${this.url}/changes`, { signal: ending.signal })
    let text = ''
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString()
      if (text.includes('\n\n')) break
    }
    ending.abort()
    const data = text.split('\n').find((line) => line.startsWith('data: ')) ?? ''
    return (JSON.parse(data.slice(6)) as { visits: Visit[] }).visits
  }

  /** Waits until the office has this of a customer's visit. */
  async has(customer: string, what: Partial<Visit>): Promise<void> {
    const visit = async () => (await this.visits()).find((visit) => visit.customer === customer)
    await expect.poll(visit, { message: `what the office has of ${customer}`, timeout: 15_000 }).toMatchObject(what)
  }

  async customers(): Promise<string[]> {
    return (await this.visits()).map(({ customer }) => customer)
  }
}

async function run(folder: string, port: string): Promise<{ process: ChildProcess; url: string }> {
  const args = ['--page', page, '--database', join(folder, 'office.sqlite'), '--port', port]
  const process = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [url] = await Promise.race([
    once(createInterface(process.stdout), 'line') as Promise<[string]>,
    once(process, 'error').then(([error]) => { throw new Error(`${program}: ${error}; cargo build -p outbox-demo-server`) }),
    once(process, 'exit').then(([code]) => { throw new Error(`${program} ended with ${code} at once`) }),
  ])
  return { process, url }
}
