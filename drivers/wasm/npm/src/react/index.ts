'use client'
// The entry point `/react`: hooks on an outbox, for React 18 and later.

import {
  createContext, createElement, useCallback, useContext, useMemo, useSyncExternalStore, type ReactElement, type ReactNode,
} from 'react'
import type { TypedOutbox } from '../api.js'
import type { Outbox } from '../handle.js'
import { serverSnapshot } from '../snapshots.js'
import type {
  ArgsOf, Explanation, FailureRecord, Mutators, OutboxSnapshot, PendingItem, Receipt, Registered, ResultOf, Send, SendOptions,
} from '../types.js'
import { indexOf, useSelected, type Select } from './select.js'
import { sourceOf, type Source } from './source.js'

/** The state of an outbox, and what can be done about it. The same object until something changes. */
export interface UseOutbox extends OutboxSnapshot,
  Pick<Outbox, 'removeFromOutbox' | 'retryFailure' | 'dismissFailure' | 'pause' | 'resume'> {
  readonly pendingCount: number
}

/** One item. The same object until something of it changes. */
export interface UseOutboxItem {
  /** As of `PendingItem`; `failed`: refused for good, and not dismissed; `unknown`: settled, or there is no such item. */
  readonly state: PendingItem['state'] | 'failed' | 'unknown'
  readonly item: PendingItem | undefined
  readonly failure: FailureRecord | undefined
  /** Why it is not being sent right now, or that it is (R19); in words: `explanation.words`. Only while it is pending. */
  readonly explanation: Explanation | undefined
  /** Takes it out, in any stage; `false` if it is gone. */
  remove(): Promise<boolean>
  /** Makes the failure an item again, with a new id. */
  retry(): Promise<Receipt | undefined>
  /** Forgets the failure. */
  dismiss(): Promise<boolean>
}

const Context = /* @__PURE__ */ createContext<Outbox | undefined>(undefined)

/** Tells the hooks beneath which outbox they speak of. Without it they speak of the default one. */
export function OutboxProvider({ outbox, children }: { readonly outbox: Outbox; readonly children?: ReactNode }): ReactElement {
  return createElement(Context.Provider, { value: outbox }, children)
}

function useSource(outbox: Outbox | undefined): Source {
  const provided = useContext(Context)
  return sourceOf(outbox ?? provided)
}

/** What is pending, what has failed, whether it is online, leading, paused; and the calls to change that. */
export function useOutbox(outbox?: Outbox): UseOutbox {
  const source = useSource(outbox)
  const snapshot = useSyncExternalStore(source.subscribe, source.getSnapshot, getServerSnapshot)
  const calls = useMemo(() => ({
    removeFromOutbox: async (id: string) => source.outbox().removeFromOutbox(id),
    retryFailure: async (id: string) => source.outbox().retryFailure(id),
    dismissFailure: async (id: string) => source.outbox().dismissFailure(id),
    pause: async (reason: string) => source.outbox().pause(reason),
    resume: async (reason: string) => source.outbox().resume(reason),
  }), [source])
  return useMemo(() => ({ ...snapshot, pendingCount: snapshot.items.length, ...calls }), [snapshot, calls])
}

/** One item by its id: `receipt.id`, or one of `useOutboxLane`. */
export function useOutboxItem(id: string | undefined, outbox?: Outbox): UseOutboxItem {
  const source = useSource(outbox)
  const select = useCallback<Select<Part>>((snapshot, isServer) => partOf(source, snapshot, id, isServer), [source, id])
  const part = useSelected(source, select, isSamePart)
  const calls = useMemo(() => ({
    remove: async () => id !== undefined && source.outbox().removeFromOutbox(id),
    retry: async () => id === undefined ? undefined : source.outbox().retryFailure(id),
    dismiss: async () => id !== undefined && source.outbox().dismissFailure(id),
  }), [source, id])
  return useMemo(() => ({ ...part, ...calls }), [part, calls])
}

/** The pending items of a lane in order, for which a row's id is the key; the same array until one of them changes. */
export function useOutboxLane(key: string | number, outbox?: Outbox): readonly PendingItem[] {
  const source = useSource(outbox)
  const lane = String(key)
  const select = useCallback<Select<readonly PendingItem[]>>(({ items }) => indexOf(items).byLane.get(lane) ?? none, [lane])
  return useSelected(source, select, isSameList)
}

/** Stores a mutation of that name; resolves when it is durable. The same function in every render. */
export function useMutator<M extends Mutators, N extends keyof M & string>(
  name: N, outbox: TypedOutbox<M>,
): Send<ArgsOf<M[N]>, ResultOf<M[N]>>
export function useMutator<N extends keyof Registered & string>(
  name: N, outbox?: Outbox & { readonly mutate?: undefined },
): Send<ArgsOf<Registered[N]>, ResultOf<Registered[N]>>
export function useMutator(name: string, outbox?: Outbox): Send<any, any> {
  const source = useSource(outbox)
  return useCallback((args?: unknown, options?: SendOptions) => source.send(name, args, options), [source, name])
}

const none: readonly never[] = Object.freeze([])
const getServerSnapshot = () => serverSnapshot

type Part = Pick<UseOutboxItem, 'state' | 'item' | 'failure' | 'explanation'>

function partOf(source: Source, { items, failures }: OutboxSnapshot, id: string | undefined, isServer: boolean): Part {
  const item = id === undefined ? undefined : indexOf(items).byId.get(id)
  const failure = id === undefined || item !== undefined ? undefined : failures.find((one) => one.item.id === id)
  const explanation = item === undefined || id === undefined || isServer ? undefined : source.peek()?.explain(id)
  return { state: item?.state ?? (failure === undefined ? 'unknown' : 'failed'), item, failure, explanation }
}

function isSamePart(a: Part, b: Part): boolean {
  return a.item === b.item && a.failure === b.failure && a.state === b.state
    && (a.explanation === b.explanation || JSON.stringify(a.explanation) === JSON.stringify(b.explanation))
}

function isSameList(a: readonly PendingItem[], b: readonly PendingItem[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index])
}
