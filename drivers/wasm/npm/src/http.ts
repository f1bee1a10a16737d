// HTTP for mutators: a `fetch` that carries the attempt's marks and brands network errors, and `responseError`,
// which says what an answer means for the attempt (R11, R12).

import { NonRetriableError, RetryError, TransportError, serialized } from './errors.js'

/** The header that carries an item's idempotency key, as it is. */
export const IDEMPOTENCY_KEY = 'Idempotency-Key'

/** The name of the error that 401 and 407 become: nothing is dropped because a login expired. */
export const UNAUTHORIZED = 'Unauthorized'

/**
 * What an answer that is not 2xx means: throw it.
 *
 * | answer | outcome |
 * |---|---|
 * | 408, 425, 429, 5xx | tried again, not before `Retry-After` |
 * | 401, 407 | tried again, under the name `Unauthorized`: `pause('auth')`, and `resume` after the login |
 * | any other 4xx | refused for good |
 * | anything else | tried again |
 */
export function responseError(response: Response): RetryError | NonRetriableError {
  const { status } = response
  const message = `the server answered ${status}${response.statusText === '' ? '' : ` ${response.statusText}`}`
  if (status === 401 || status === 407) return named(new RetryError(message), UNAUTHORIZED)
  const retry = status === 408 || status === 425 || status === 429 || status >= 500
  if (!retry && status >= 400) return named(new NonRetriableError(message), 'Refused')
  if (!retry) return named(new RetryError(message), 'UnexpectedStatus')
  const retryAfter = response.headers.get('Retry-After')
  const serverDate = response.headers.get('Date')
  return new RetryError(message, {
    ...(retryAfter === null ? {} : { retryAfter }),
    ...(serverDate === null ? {} : { serverDate }),
  })
}

function named<E extends Error>(error: E, name: string): E {
  error.name = name
  return error
}

/** The `fetch` of one attempt. */
export function attemptFetch(signal: AbortSignal, idempotencyKey: string | undefined): typeof globalThis.fetch {
  return async (input, init) => {
    // A request that cannot be made is the mutator's mistake, not the network's.
    const asked = new Request(input, init)
    const request = new Request(asked, { signal: either(signal, asked.signal) })
    if (idempotencyKey !== undefined && !request.headers.has(IDEMPOTENCY_KEY)) {
      request.headers.set(IDEMPOTENCY_KEY, idempotencyKey)
    }
    const response = await globalThis.fetch(request).catch((cause: unknown) => {
      throw signal.aborted ? signal.reason : noAnswer('no answer came', cause)
    })
    return brandBody(response)
  }
}

/** One signal of two; `AbortSignal.any` is younger than the oldest browsers we run in. */
function either(first: AbortSignal, second: AbortSignal): AbortSignal {
  const controller = new AbortController()
  for (const signal of [first, second]) {
    if (signal.aborted) controller.abort(signal.reason)
    signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true })
  }
  return controller.signal
}

/** A body that breaks off is no answer either; a body that is not JSON, or is read twice, is the mutator's to handle. */
function brandBody(response: Response): Response {
  for (const method of ['arrayBuffer', 'blob', 'bytes', 'formData', 'json', 'text'] as const) {
    // `bytes` is younger than the oldest browsers we run in.
    const read = response[method]?.bind(response) as (() => Promise<never>) | undefined
    if (read === undefined) continue
    const branded = async () => {
      if (response.bodyUsed) return read()
      try {
        return await read()
      } catch (cause) {
        throw serialized(cause).name === 'SyntaxError' ? cause : noAnswer('the answer broke off', cause)
      }
    }
    Object.defineProperty(response, method, { value: branded, configurable: true, writable: true })
  }
  const { clone } = response
  Object.defineProperty(response, 'clone', { value: () => brandBody(clone.call(response)), configurable: true, writable: true })
  return response
}

function noAnswer(what: string, cause: unknown): TransportError {
  return new TransportError(`${what}: ${serialized(cause).message}`, { cause })
}
