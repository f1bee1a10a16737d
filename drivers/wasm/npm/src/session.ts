// One `Core` and its calls: from its making to its end. An outbox has one at a time.

import type { Core, CoreCallError, CoreReply, CoreStorageError, Host, MakeCore } from './core.js'
import { InputError, OutboxError, StorageError, StoppedError, UnknownMutatorError } from './errors.js'

/** What a session is given besides the calls' answers, which are its own. */
export type SessionHost = Omit<Host, 'reply'>

interface Call {
  resolve(reply: CoreReply): void
  reject(error: OutboxError): void
}

/** A running `Core`. */
export class Session {
  readonly core: Core
  private readonly calls = new Map<number, Call>()
  private idle: (() => void) | undefined
  private count = 0
  private isStopping = false
  /** The core is told nothing any more. */
  isStopped = false

  constructor(make: MakeCore, config: object, name: string, host: SessionHost) {
    const reply = (call: number, ok: boolean, body: string) => this.answer(call, ok, body)
    this.core = make(JSON.stringify(config), name, Object.assign(host, { reply }))
  }

  /** One call of the app, and its one answer. */
  call(send: (core: Core, call: number) => void): Promise<CoreReply> {
    if (this.isStopping) return Promise.reject(new StoppedError('The outbox was stopped.'))
    const call = ++this.count
    return new Promise((resolve, reject) => {
      this.calls.set(call, { resolve, reject })
      try {
        send(this.core, call)
      } catch (error) {
        // The core knows nothing of it, so nobody waits for an answer.
        this.calls.delete(call)
        reject(error as OutboxError)
        if (this.calls.size === 0) this.idle?.()
      }
    })
  }

  /** Resolves when every call has its answer. */
  drained(): Promise<void> {
    if (this.calls.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const before = this.idle
      this.idle = () => { before?.(); resolve() }
    })
  }

  /** Ends it; calls without an answer fail. */
  async stop(patienceMs: number): Promise<void> {
    if (this.isStopping) return
    this.isStopping = true
    // Until then, what attempts under way come to is told.
    await this.core.stop(patienceMs)
    this.isStopped = true
    for (const call of this.calls.values()) {
      call.reject(new StoppedError('The outbox was stopped before it answered: the mutation may have been stored.'))
    }
    this.calls.clear()
    this.idle?.()
  }

  private answer(id: number, ok: boolean, body: string): void {
    const call = this.calls.get(id)
    if (call === undefined) return
    this.calls.delete(id)
    if (ok) call.resolve(JSON.parse(body) as CoreReply)
    else call.reject(callError(JSON.parse(body) as { error: CoreCallError; message: string }))
    if (this.calls.size === 0) this.idle?.()
  }
}

function callError({ error, message }: { error: CoreCallError; message: string }): OutboxError {
  if (error === 'stopped') return new StoppedError(message)
  if ('storage' in error) return storageError(error.storage, message)
  if ('duplicate' in error) return new InputError(message, 'id', 'duplicate')
  if ('config' in error) return new InputError(message, error.config.field)
  const [kind, detail] = typeof error.input === 'string' ? [error.input, undefined]
    : Object.entries(error.input)[0] ?? ['input', undefined]
  if (kind === 'unknownMutator' && detail?.name !== undefined) return new UnknownMutatorError(detail.name)
  return new InputError(message, detail?.field)
}

export function storageError(error: CoreStorageError, message: string): StorageError {
  return new StorageError(typeof error === 'string' ? error : 'unavailable', message)
}
