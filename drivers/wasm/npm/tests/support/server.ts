// A to-do server on loopback with a bad character: it drops requests and replies, delays, refuses, asks for
// patience. It honours idempotency keys, and keeps a log of what arrived and of what took effect.
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { expect } from '@playwright/test'

import { Feed } from './feed.ts'
import { fileOf } from './shell.ts'

/** What a page writes. */
export interface Todo {
  id: string
  text: string
}

/** A write as it arrived. */
export interface Arrival extends Todo {
  idempotencyKey: string | undefined
  /** Which tab sent it. */
  tab?: string
  /** When, in ms since 1970. */
  at: number
}

/** How the server treats a write that it does not simply accept. */
export type Mishap =
  | { kind: 'drop the request' } // no effect, the connection dies
  | { kind: 'drop the reply' } // takes effect, the connection dies
  | { kind: 'hold' } // no answer before release()
  | { kind: 'refuse' } // 422: for good
  | { kind: 'unavailable'; retryAfter: string; status?: 429 } // 503, if no other
  | { kind: 'reset' } // takes effect, and the connection is reset
  | { kind: 'delay'; ms: number } // takes effect when it arrives, answered later
  | { kind: 'slow body'; ms: number } // takes effect, half of the answer comes later

interface Rule {
  text: string
  mishap: Mishap
  times: number
}

export class Server {
  /** Every write that arrived, in order. */
  readonly arrivals: Arrival[] = []
  /** Every write that took effect, in order. */
  readonly effects: Arrival[] = []
  /** What became of them, for pages that listen. */
  readonly feed = new Feed()
  readonly #http: HttpServer
  readonly #answered = new Set<string>()
  readonly #rules: Rule[] = []
  #mood: ((arrival: Arrival) => Mishap | undefined) | undefined
  #held: (() => void)[] = []

  private constructor() {
    this.#http = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        response.writeHead(500).end(String(error))
      })
    })
  }

  static async start(): Promise<Server> {
    const server = new Server()
    await new Promise<void>((listening) => server.#http.listen(0, '127.0.0.1', listening))
    return server
  }

  async stop(): Promise<void> {
    this.#http.closeAllConnections()
    await new Promise((closed) => this.#http.close(closed))
  }

  /** Its origin, and so the page's. */
  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`
  }

  /** The next `times` writes of `text` meet with `mishap`. */
  meets(text: string, mishap: Mishap, times = 1): void {
    this.#rules.push({ text, mishap, times })
  }

  /** What any write meets with, until the next mood. */
  isInMood(mood: ((arrival: Arrival) => Mishap | undefined) | undefined): void {
    this.#mood = mood
  }

  /** Answers all that is held. */
  release(): void {
    const held = this.#held
    this.#held = []
    for (const answer of held) answer()
  }

  /** The texts that took effect, in order. */
  get took(): string[] {
    return this.effects.map(({ text }) => text)
  }

  /** How often `text` arrived. */
  arrived(text: string): number {
    return this.arrivals.filter((arrival) => arrival.text === text).length
  }

  /** Waits until exactly these texts have taken effect, in this order. */
  async hasTaken(...texts: string[]): Promise<void> {
    await expect.poll(() => this.took, { message: 'what took effect at the server', timeout: 20_000 }).toEqual(texts)
  }

  /** Waits until `text` has arrived `times` times. */
  async hasSeen(text: string, times = 1): Promise<void> {
    const message = `how often the server saw "${text}"`
    await expect.poll(() => this.arrived(text), { message, timeout: 20_000 }).toBeGreaterThanOrEqual(times)
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A sandboxed frame has an origin of its own.
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('cache-control', 'no-store')
    const { pathname } = new URL(request.url ?? '/', this.url)
    if (pathname === '/changes') return this.feed.listen(response)
    if (pathname !== '/todos') {
      // For a browser that nobody keeps the shell for.
      const { path, contentType } = fileOf(pathname)
      response.setHeader('content-type', contentType)
      response.end(await readFile(path))
      return
    }
    if (request.method === 'GET') {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(this.effects.map(({ id, text }) => ({ id, text }))))
      return
    }
    const todo = JSON.parse(await bodyOf(request)) as Todo
    const idempotencyKey = request.headers['idempotency-key'] as string | undefined
    this.#receive({ ...todo, idempotencyKey, at: Date.now() }, response)
  }

  #receive(arrival: Arrival, response: ServerResponse): void {
    this.arrivals.push(arrival)
    const rule = this.#rules.find((rule) => rule.text === arrival.text && rule.times > 0)
    if (rule !== undefined) rule.times -= 1
    const mishap = rule?.mishap ?? this.#mood?.(arrival)
    if (mishap === undefined) return this.#accept(arrival, response)
    switch (mishap.kind) {
      case 'drop the request':
        response.destroy()
        break
      case 'drop the reply':
        this.#takeEffect(arrival)
        response.destroy()
        break
      case 'hold':
        this.#held.push(() => this.#accept(arrival, response))
        break
      case 'refuse':
        response.writeHead(422).end('not a to-do')
        break
      case 'unavailable':
        response.writeHead(mishap.status ?? 503, { 'retry-after': mishap.retryAfter }).end()
        break
      case 'reset':
        this.#takeEffect(arrival)
        response.socket?.resetAndDestroy()
        break
      case 'delay':
        this.#takeEffect(arrival)
        setTimeout(() => this.#accept(arrival, response), mishap.ms)
        break
      case 'slow body':
        this.#takeEffect(arrival)
        response.writeHead(200, { 'content-type': 'application/json' }).write('{"accepted":')
        setTimeout(() => response.end(JSON.stringify(arrival.text) + '}'), mishap.ms)
        break
    }
  }

  #accept(arrival: Arrival, response: ServerResponse): void {
    // Whoever went away meanwhile has cancelled.
    if (response.destroyed) return
    this.#takeEffect(arrival)
    response.setHeader('content-type', 'application/json')
    response.setHeader('etag', `"${this.feed.revOf(arrival.id)}"`)
    response.end(JSON.stringify({ accepted: arrival.text }))
  }

  #takeEffect(arrival: Arrival): void {
    const key = arrival.idempotencyKey
    if (key !== undefined && this.#answered.has(key)) return
    if (key !== undefined) this.#answered.add(key)
    this.effects.push(arrival)
    this.feed.change(arrival.id, { text: arrival.text })
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request) body += String(chunk)
  return body
}
