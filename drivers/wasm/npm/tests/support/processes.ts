// Programs that a test runs to their end, or keeps running while it needs them.
import { spawn, type ChildProcess } from 'node:child_process'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'

import { expect } from '@playwright/test'

/** Runs a program to its end; rejects with what it printed if it fails. */
export function run(folder: string, program: string, ...args: string[]): Promise<void> {
  return new Promise((done, failed) => {
    const child = start(folder, program, args)
    const said = listen(child)
    child.on('error', failed)
    child.on('close', (code) => {
      if (code === 0) done()
      else failed(new Error(`${program} ${args.join(' ')} ended with ${code}:\n${said()}`))
    })
  })
}

/** Starts a server on a free port, in place of `PORT` in `args`, and waits until it answers. */
export async function serve(folder: string, program: string, ...args: string[]): Promise<Served> {
  const port = await freePort()
  const child = start(folder, program, args.map((arg) => arg.replace('PORT', String(port))))
  const said = listen(child)
  const url = `http://127.0.0.1:${port}`
  const answers = () => fetch(url).then((response) => response.ok, () => false)
  try {
    await expect.poll(answers, { message: `whether ${program} answers`, timeout: 60_000 }).toBe(true)
  } catch (error) {
    stop(child)
    throw new Error(`${String(error)}\n${said()}`)
  }
  return { url, stop: () => stop(child) }
}

export interface Served {
  readonly url: string
  stop(): void
}

/** In a group of its own, so that what it started ends with it. */
function start(folder: string, program: string, args: string[]): ChildProcess {
  const path = `${folder}/../node_modules/.bin:${process.env.PATH}`
  const env = { ...process.env, PATH: path, NEXT_TELEMETRY_DISABLED: '1' }
  return spawn(program, args, { cwd: folder, env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
}

function stop(child: ChildProcess): void {
  if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM')
}

function listen(child: ChildProcess): () => string {
  let said = ''
  child.stdout?.on('data', (chunk) => (said += String(chunk)))
  child.stderr?.on('data', (chunk) => (said += String(chunk)))
  return () => said
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  await new Promise((closed) => server.close(closed))
  return port
}
