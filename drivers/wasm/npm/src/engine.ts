// One outbox of this page: the core, and everything around it, from the first call to the last `dispose`.

import { openChannel } from '../../js/channel.js'
import { WebLocksElection, hasWebLocks } from '../../js/weblocks.js'
import { Attempts } from './attempts.js'
import type { Core, CoreItem, CoreReply, CoreStorageError, CoreViewChange, LoadCore, MakeCore } from './core.js'
import { toJson } from './json.js'
import { AlreadyOpenError, InputError, OutboxError, StoppedError, UnsupportedError, serialized } from './errors.js'
import { Listeners, eventOf, guarded, type OutboxEvent } from './events.js'
import { ask, type AskedItem } from './hook.js'
import { coreConfig, electionOf, realTime, type OutboxOptions, type Platform } from './options.js'
import { pageDetector, watching } from './page.js'
import { neverLeads } from './ports.js'
import type { Registry } from './registry.js'
import { Session, storageError } from './session.js'
import type { OutboxStorage, StorageAdapter } from './storage/types.js'
import type { Item, Outcome } from './types.js'
import { PendingList } from './view.js'
import { Views } from './views.js'
import { Waiters } from './waiters.js'
import { uuid } from './uuid.js'

/** How long `confirmed` may hold an item in the view. */
const CONFIRM_MS = 5_000
/** How long `stop` waits for calls that the store does not answer. */
const STOP_MS = 5_000

/** When to load the wasm again that could not be loaded. */
const REOPEN_MS = 10_000

/** `staging`: it stores, and dispatches nothing (before start). */
export type Mode = 'idle' | 'staging' | 'live' | 'stopped' | 'inert'

interface Settle {
  resolve(): void
  reject(error: Error): void
}

/** An outbox. */
export class Engine {
  mode: Mode = 'idle'
  options: OutboxOptions = {}
  session: Session | undefined
  /** The first load of the live core is done. */
  isReady = false
  error: Error | undefined
  leading = false
  paused: readonly string[] = []

  readonly view: PendingList
  readonly attempts: Attempts
  readonly listeners = new Listeners()
  readonly waiters = new Waiters()
  readonly views = new Views(this)
  ready!: Promise<void>
  /** Called when another tab may have retried or dismissed a failure. */
  failuresChanged: (() => void) | undefined
  /** Called before views are told. */
  beforeFlush: (() => void) | undefined
  private settleReady!: Settle
  private staged!: Promise<void>
  private settleStaged!: Settle

  private readonly subscribers = new Set<() => void>()
  private readonly queue: { run(session: Session): void; reject(error: Error): void }[] = []
  private readonly replica = uuid()
  private readonly stopping = new AbortController()
  private readonly unwatch: () => void
  private opened: Mode = 'idle'
  private stopped: Promise<void> | undefined
  private events: OutboxEvent[] = []
  private isFlushing = false
  private hasChanged = false
  /** The last opening failed, and both promises with it. */
  private hasFailed = false
  /** What the hook threw, while the core is told. */
  private hookThrew: { readonly thrown: unknown } | undefined

  constructor(
    readonly name: string,
    readonly adapter: StorageAdapter,
    readonly registry: Registry,
    private readonly loadCore: LoadCore,
    private readonly platform: Platform,
    /** What opens the store, one after the other; at first what must have ended before. */
    private opening: Promise<void> = Promise.resolve(),
  ) {
    this.promise()
    this.attempts = new Attempts(() => this.runningCore(), registry, platform, (id) => this.view.refresh(id))
    this.view = new PendingList({
      isSending: (id) => this.attempts.isSending(id),
      confirm: (item, outcome) => this.confirm(item, outcome),
      changed: () => this.changed(),
    })
    this.unwatch = registry.watch((name, config) => this.session?.call((core, call) => core.register(call, name, JSON.stringify(config)))
      .catch((error: unknown) => this.tell({ type: 'registerFailed', mutatorName: name, error })))
  }

  private promise(): void {
    this.ready = new Promise((resolve, reject) => { this.settleReady = { resolve, reject } })
    this.staged = new Promise((resolve, reject) => { this.settleStaged = { resolve, reject } })
    for (const promise of [this.ready, this.staged]) promise.catch(() => undefined)
  }

  now(): number {
    return this.platform.now()
  }

  /** Resolves when what is stored is known: by the live core, or by the one before start. */
  async whenLoaded(): Promise<void> {
    if (!this.isReady) await (this.mode === 'live' ? this.ready : this.staged)
  }

  get isOnline(): boolean {
    return (this.options.onlineDetector ?? pageDetector).isOnline()
  }

  /** Opens the store without leading: what is enqueued before start is stored, and waits. */
  stage(): void {
    if (this.mode !== 'idle') return
    this.mode = 'staging'
    this.open()
  }

  /** Starts, or takes new functions of an app that starts it again. */
  start(options: OutboxOptions): void {
    const { beforeRetry, keyExtractor, view } = options
    if (this.opened === 'live' && beforeRetry !== undefined && this.options.beforeRetry === undefined) {
      throw new AlreadyOpenError(`The outbox ${JSON.stringify(this.name)} was started without \`beforeRetry\`: give it to the first start.`)
    }
    if (view !== undefined) this.views.use(view)
    this.options = this.mode === 'live' ? { ...this.options, ...(beforeRetry && { beforeRetry }) } : options
    if (keyExtractor !== undefined) this.registry.keyExtractor = keyExtractor
    if (this.mode === 'live') return
    this.mode = 'live'
    this.open()
  }

  /** Ends it, once what was asked of the store is answered. What is stored stays stored, unless it is to be deleted. */
  stop(isDeleted = false): Promise<void> {
    this.stopped ??= this.stopNow(isDeleted)
    return this.stopped
  }

  /** One call: at once if the core is there, else as soon as it is. */
  call(send: (core: Core, call: number) => void): Promise<CoreReply> {
    if (this.mode === 'stopped') return Promise.reject(stoppedError(this.name))
    if (this.mode === 'idle') this.stage()
    if (this.session !== undefined && this.queue.length === 0) return this.session.call(send)
    return new Promise((resolve, reject) => {
      this.queue.push({ run: (session) => session.call(send).then(resolve, reject), reject })
      // What could not be opened before is tried again.
      this.open()
    })
  }

  subscribe(listener: () => void): () => void {
    this.subscribers.add(listener)
    return () => this.subscribers.delete(listener)
  }

  /** Tells views and listeners what has changed: in the calling turn after an enqueue (R1), else right after this turn. */
  flush(): void {
    this.view.flush()
    if (this.hasChanged) {
      this.hasChanged = false
      this.beforeFlush?.()
      for (const listener of [...this.subscribers]) guarded(listener)
    }
    const { events } = this
    this.events = []
    for (const event of events) this.listeners.tell(event)
  }

  changed(): void {
    this.hasChanged = true
    this.flushSoon()
  }

  tell(event: OutboxEvent): void {
    this.events.push(event)
    this.changed()
  }

  private flushSoon(): void {
    if (this.isFlushing) return
    this.isFlushing = true
    queueMicrotask(() => {
      this.isFlushing = false
      this.flush()
    })
  }

  private open(): void {
    this.changed()
    this.opening = this.opening.then(() => this.openNow()).catch((error: unknown) => this.failed(error))
  }

  /** Makes the core that the mode asks for; one that is there is ended first, its calls answered. */
  private async openNow(): Promise<void> {
    const { mode } = this
    if (this.opened === mode || (mode !== 'staging' && mode !== 'live')) return
    const early = this.adapter.connectEarly?.(this.name)
    const isTaken = await this.openAs(mode, early).catch((error: unknown) => {
      early?.close()
      throw error
    })
    if (!isTaken) early?.close()
  }

  /** False: the mode is another by now. */
  private async openAs(mode: 'staging' | 'live', early: OutboxStorage | undefined): Promise<boolean> {
    const make = await this.loadCore(this.options.wasm).catch((cause: unknown) => { throw wasmError(cause) })
    // It was started meanwhile, or stopped: what comes next in the chain does that.
    if (mode !== this.mode) return false
    const before = this.session
    this.session = undefined
    if (before !== undefined) {
      await before.drained()
      await before.stop(0)
      this.view.markStale()
      this.view.isReplaying = true
    }
    const session = this.makeSession(make, mode, early ?? this.adapter.connect())
    this.opened = mode
    this.session = session
    session.core.start()
    for (const call of this.queue.splice(0)) call.run(session)
    this.flush()
    return true
  }

  private makeSession(make: MakeCore, mode: Mode, store: OutboxStorage): Session {
    const { adapter, options, registry, name, platform } = this
    const election = mode === 'staging' ? neverLeads
      : electionOf(options.leaderElection ?? 'auto', adapter, hasWebLocks() ? () => new WebLocksElection() : undefined)
    const channel = adapter.shared ? openChannel(name) : undefined
    const config = coreConfig(options, registry.configs(), this.replica, adapter.shared)
    const upgrade = (id: string, mutatorName: string, args: string) => this.upgrade(id, mutatorName, args)
    const session: Session = new Session(make, config, name, {
      store,
      election,
      ...(channel === undefined ? {} : { channel }),
      ...(platform.clock === undefined ? {} : { clock: platform.clock }),
      watchPage: watching(options.onlineDetector, () => this.changed()),
      record: options.record === true,
      // Asked for at each load: the first upgrade may be registered late.
      get upgrade() {
        return registry.hasUpgrades() ? upgrade : undefined
      },
      opened: (error) => this.onOpened(mode, error),
      dispatch: (attempt, item, deadlineMs) => this.dispatch(attempt, JSON.parse(item) as CoreItem, deadlineMs),
      cancel: (attempt) => this.attempts.cancel(attempt),
      ask: (id, items) => void this.ask(session, id, JSON.parse(items) as AskedItem[]),
      failuresRead: () => this.failuresChanged?.(),
      view: (changes) => {
        for (const change of JSON.parse(changes) as CoreViewChange[]) this.view.apply(change)
      },
      event: (event) => this.onEvent(eventOf(event)),
    })
    return session
  }

  private onOpened(mode: Mode, body: string | undefined): void {
    if (body !== undefined) {
      const { error, message } = JSON.parse(body) as { error: CoreStorageError; message: string }
      return this.failed(storageError(error, message))
    }
    this.view.dropStale()
    this.view.isReplaying = false
    // Who asks now need not hear of a failure that is over.
    if (this.hasFailed) this.promise()
    this.hasFailed = false
    this.error = undefined
    this.paused = JSON.parse(this.session?.core.paused() ?? '[]') as string[]
    this.settleStaged.resolve()
    if (mode !== 'live') return this.changed()
    // Whoever waits for `ready` to render finds the pending items in place.
    this.view.flush()
    const ready = () => {
      if (this.mode !== 'live') return
      this.isReady = true
      this.settleReady.resolve()
      this.changed()
    }
    const showing = this.views.shown()
    if (showing === undefined) ready()
    else void showing.then(ready)
  }

  /** The store could not be opened, or the wasm not be loaded. */
  private failed(error: unknown): void {
    this.error = error instanceof Error ? error : new Error(String(error))
    this.hasFailed = true
    this.settleReady.reject(this.error)
    this.settleStaged.reject(this.error)
    if (this.session === undefined) for (const call of this.queue.splice(0)) call.reject(this.error)
    // The wasm of /external may not have come for want of a network.
    if (error instanceof UnsupportedError) this.platform.after(REOPEN_MS, () => this.open())
    this.changed()
  }

  /** Stored args in today's form; what an upgrade refuses stays as it was stored (R23). */
  private upgrade(id: string, mutatorName: string, args: string): string | undefined {
    const mutator = this.registry.find(mutatorName)
    if (mutator?.upgrade === undefined) return undefined
    try {
      const upgraded: unknown = mutator.upgrade(JSON.parse(args))
      if (upgraded === undefined) throw new InputError(`\`upgrade\` of ${mutatorName} must return the args, changed or as they were.`, 'args')
      return toJson(upgraded, 'args')
    } catch (error) {
      this.tell({ type: 'upgradeFailed', id, mutatorName, error })
      return undefined
    }
  }

  private dispatch(attempt: number, item: CoreItem, deadline: number): void {
    this.attempts.dispatch(attempt, item, deadline)
    this.view.refresh(item.id, { retryCount: item.retryCount, nextAttemptAt: item.nextAttemptAt })
  }

  private async ask(session: Session, id: number, items: AskedItem[]): Promise<void> {
    await Promise.resolve()
    try {
      const { beforeRetry = (items) => items } = this.options
      const verdicts = await ask(beforeRetry, items)
      if (!session.isStopped) session.core.answered(id, verdicts)
    } catch (thrown) {
      const { name, message } = serialized(thrown)
      this.hookThrew = { thrown }
      if (!session.isStopped) session.core.hookThrew(id, `${name}: ${message}`)
      this.hookThrew = undefined
    }
  }

  private onEvent(event: OutboxEvent): void {
    switch (event.type) {
      case 'resolved': this.waiters.tell(event.id, event.outcome, this.attempts.takeOutcome(event.id)); break
      // Who began to wait while the item was settling has missed `resolved`.
      case 'settled': this.waiters.tell(event.id, event.outcome, this.attempts.takeOutcome(event.id)); break
      case 'attemptFailed': {
        const { id, attempt, error, nextAttemptAt } = event
        this.view.refresh(id, { retryCount: attempt, lastError: error, nextAttemptAt })
        break
      }
      case 'leading': this.leading = event.leading; break
      case 'paused': this.paused = event.reasons; break
      // The core has its words alone.
      case 'hookFailed': if (this.hookThrew !== undefined) return this.tell({ type: 'hookFailed', error: this.hookThrew.thrown }); break
      case 'storageFailed': this.error = event.error; break
      case 'storageRecovered': this.error = undefined; break
    }
    this.tell(event)
  }

  /** Runs the mutator's `confirmed`, in every tab; the item leaves the view when it is done (at most 5 s). */
  private confirm(item: Item, outcome: Outcome): Promise<void> | undefined {
    const confirmed = this.registry.find(item.mutatorName)?.confirmed
    // What is gone may have been committed: a tab that missed how it ended cannot tell (R29).
    const isCommitted = outcome.kind === 'committed' || outcome.kind === 'gone'
    if (confirmed === undefined || !isCommitted) return undefined
    const result = outcome.kind === 'committed' ? outcome.result : undefined
    const controller = new AbortController()
    const run = async () => {
      await Promise.resolve()
      await confirmed(result, item.args, controller.signal)
    }
    return new Promise((resolve) => {
      const end = (error?: unknown) => {
        cancel()
        this.stopping.signal.removeEventListener('abort', late)
        if (error !== undefined) this.tell({ type: 'confirmFailed', id: item.id, error })
        resolve()
      }
      const late = () => {
        const error = new OutboxError('confirm-late', `confirmed of ${item.mutatorName} took longer than ${CONFIRM_MS / 1000} s, or the outbox stopped.`)
        controller.abort(error)
        end(error)
      }
      const cancel = this.platform.after(CONFIRM_MS, late)
      this.stopping.signal.addEventListener('abort', late)
      run().then(() => end(), (error: unknown) => controller.signal.aborted || end(error ?? new Error(`${String(error)} was thrown`)))
    })
  }

  private async stopNow(isDeleted: boolean): Promise<void> {
    const { mode } = this
    this.mode = 'stopped'
    this.unwatch()
    if (mode === 'staging' || mode === 'live') await this.stopSession()
    for (const call of this.queue.splice(0)) call.reject(stoppedError(this.name))
    this.stopping.abort()
    this.waiters.stop(isDeleted)
    this.view.clear()
    this.flush()
    this.views.disconnect()
    this.leading = false
    this.settleReady.reject(stoppedError(this.name))
    this.settleStaged.reject(stoppedError(this.name))
    this.changed()
  }

  private async stopSession(): Promise<void> {
    const { patienceMs } = this.platform
    let isOnTime = (): void => undefined
    const late = new Promise<void>((resolve) => { isOnTime = realTime.after(STOP_MS, resolve) })
    await Promise.race([this.opening.then(() => this.session?.drained()), late])
    isOnTime()
    // `confirmed` is not waited for any longer.
    this.stopping.abort()
    await this.session?.stop(patienceMs)
    this.attempts.cancelAll()
  }

  private runningCore(): Core | undefined {
    return this.session?.isStopped === false ? this.session.core : undefined
  }
}

export function stoppedError(name: string): StoppedError {
  return new StoppedError(`The outbox ${JSON.stringify(name)} was stopped. What is stored stays stored; start it again to go on.`)
}

/** Why the wasm could not be loaded, and what to do. */
export function wasmError(cause: unknown): UnsupportedError {
  return new UnsupportedError(`The outbox's wasm could not be loaded: ${serialized(cause).message}. A Content-Security-Policy needs `
    + 'script-src \'wasm-unsafe-eval\'; the /external entry also needs the file outbox.wasm to be served.', { cause })
}
