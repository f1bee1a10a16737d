// The default entry point: the wasm is in the code, compressed, and so is there at once, everywhere.

import { makeApi } from './api.js'
import type { Outbox } from './handle.js'
import { makeTestOutbox } from './testing.js'
import type { PeekedItem } from './types.js'
import { loader } from './wasm.js'
import { inlinedWasm } from './inline.js'

export * from './entry.js'

const api = /* @__PURE__ */ makeApi(loader(inlinedWasm))

/** Registers mutators of the default outbox by name, also after the start; a name that is registered again is replaced. */
export const registerOfflineMutators: typeof api.registerOfflineMutators = api.registerOfflineMutators

/** A function that stores a mutation of the default outbox; it resolves when that is durable (R1), also before the start. */
export const createOfflineTransaction: typeof api.createOfflineTransaction = api.createOfflineTransaction

/**
 * Starts the default outbox: from here on what is stored is sent, by one of the tabs. Starts are counted: the last
 * `dispose` stops it. On a server it does nothing.
 */
export const startOfflineExecutor: typeof api.startOfflineExecutor = api.startOfflineExecutor

/** An outbox of its own, started: for several in one page, or for a registry that is typed from end to end. */
export const createOutbox: typeof api.createOutbox = api.createOutbox

/** An outbox for tests: memory store, manual clock, manual connectivity. */
export const createTestOutbox: ReturnType<typeof makeTestOutbox> = /* @__PURE__ */ makeTestOutbox(api.createOutboxOn)

/** All pending items of the default outbox, and why each is not being sent (R19). */
export const peekOutbox = (): Promise<PeekedItem[]> => api.outbox().peekOutbox()

/** Takes an item out of the default outbox in any stage, durably; `false` if there is none (R18). */
export const removeFromOutbox = (id: string): Promise<boolean> => api.outbox().removeFromOutbox(id)

/** The default outbox, for all its other calls; it is not started by this. */
export const defaultOutbox = (): Outbox => api.outbox()
