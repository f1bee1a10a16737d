// HTTP for mutators against a real server on loopback: marks, classes, Retry-After (R11, R12, R21).

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { classOf, RetryError } from '../src/errors.js'
import { attemptFetch, responseError } from '../src/http.js'

let server: Server
let address: string
const seen: { key: string | undefined }[] = []

beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push({ key: request.headers['idempotency-key'] as string | undefined })
    if (request.url === '/hang') return
    if (request.url === '/break') {
      response.writeHead(200, { 'Content-Length': '100' })
      response.write('{"half":')
      setTimeout(() => request.socket.destroy(), 20)
      return
    }
    if (request.url === '/not-json') return void response.end('<html>')
    response.end('{"ok":true}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => { server.closeAllConnections(); server.close() })

const thrown = (work: Promise<unknown>): Promise<unknown> => work.then(() => { throw new Error('it did not throw') }, (error: unknown) => error)
const fetching = (key?: string) => attemptFetch(new AbortController().signal, key)

test('the request carries the idempotency key, unless it has one (R21)', async () => {
  await fetching('k-1')(`${address}/`, { method: 'POST', body: 'x' })
  await fetching('k-1')(new Request(`${address}/`, { headers: { 'Idempotency-Key': 'own' } }))
  await fetching()(`${address}/`)
  expect(seen.slice(-3).map(({ key }) => key)).toEqual(['k-1', 'own', undefined])
})

test('no answer and half an answer are transport; a wrong address and a wrong body are the mutator\'s (R12)', async () => {
  expect(classOf(await thrown(fetching()('http://127.0.0.1:1/')))).toBe('transport')
  const broken = await fetching()(`${address}/break`)
  expect(classOf(await thrown(broken.json()))).toBe('transport')
  for (const read of ['arrayBuffer', 'blob', 'bytes', 'text'] as const) {
    const broken = await fetching()(`${address}/break`)
    if (read in broken) expect(classOf(await thrown(broken[read]()))).toBe('transport')
  }
  const copy = (await fetching()(`${address}/break`)).clone()
  expect(classOf(await thrown(copy.json()))).toBe('transport')
  const mistake = await thrown(fetching()('http://'))
  expect(mistake).toBeInstanceOf(TypeError)
  expect(classOf(mistake)).toBe('retry')
  const page = await fetching()(`${address}/not-json`)
  expect(classOf(await thrown(page.json()))).toBe('retry')
  expect(classOf(await thrown(page.json()))).toBe('retry')
})

test('an abort ends the request with the attempt\'s reason', async () => {
  const controller = new AbortController()
  const request = thrown(attemptFetch(controller.signal, undefined)(`${address}/hang`))
  const reason = new Error('timed out')
  setTimeout(() => controller.abort(reason), 30)
  expect(await request).toBe(reason)
})

test('answers have their classes (R12)', () => {
  const error = (status: number, headers = {}) => responseError(new Response(null, { status, headers }))
  for (const status of [408, 425, 429, 500, 503, 599]) expect(classOf(error(status))).toBe('retry')
  for (const status of [400, 403, 404, 409, 410, 422, 451]) expect(classOf(error(status))).toBe('non-retriable')
  for (const status of [401, 407]) expect([classOf(error(status)), error(status).name]).toEqual(['retry', 'Unauthorized'])
  expect(classOf(error(304))).toBe('retry')
})

test('Retry-After and the server\'s date go with the error (R11)', () => {
  const headers = { 'Retry-After': 'Sun, 06 Nov 1994 08:50:37 GMT', Date: 'Sun, 06 Nov 1994 08:49:37 GMT' }
  const error = responseError(new Response(null, { status: 503, headers })) as RetryError
  expect([error.retryAfter, error.serverDate]).toEqual([headers['Retry-After'], headers.Date])
})
