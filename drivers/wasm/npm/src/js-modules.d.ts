// The crate's plain JS modules, as far as this package uses them.

declare module '*/js/indexeddb.js' {
  export class IndexedDbStorage {
    constructor(options?: { durability?: 'strict' | 'relaxed'; persist?: boolean })
    open(name: string): Promise<void>
    acquire(): Promise<import('./storage/types.js').Snapshot>
    load(fence: import('./storage/types.js').Fence | undefined, scope: import('./storage/types.js').Scope): Promise<import('./storage/types.js').Snapshot>
    persist(fence: import('./storage/types.js').Fence | undefined, writes: readonly import('./storage/types.js').Write[]): Promise<import('./storage/types.js').Committed>
    close(): void
    destroy(name: string): Promise<void>
  }
}

declare module '*/js/weblocks.js' {
  export const hasWebLocks: () => boolean
  export class WebLocksElection {
    start(name: string, replica: string, on: import('./ports.js').LeadershipEvents): void
    resign(): void
    steal(holder: string): void
    stop(): void
  }
}

declare module '*/js/channel.js' {
  export function openChannel(name: string): import('./ports.js').ChannelPort | undefined
}

declare module '*/js/page.js' {
  export function watchPage(on: import('./ports.js').PageEvents): () => void
}

declare module '*/build/wasm/outbox_wasm.js' {
  export class Core {
    constructor(config: string, name: string, host: object)
  }
  const init: (options: { module_or_path: import('./core.js').WasmSource | Response }) => Promise<unknown>
  export default init
}

declare module '*.gz.base64' {
  const text: string
  export default text
}
