// What page/app.js and page/list/app.tsx put into their pages, for the tests that call it.
declare const todos: {
  start(): import('outbox-offline').Outbox
  outbox(): import('outbox-offline').Outbox
  add(text: string, options?: { id?: string; key?: string }): Promise<string>
  addAll(texts: string[]): Promise<string[]>
  cannotAdd(text: string): Promise<import('../support/tab.ts').Refusal>
  fill(length: number, atOnce?: number): Promise<{ stored: string[]; refusal: import('../support/tab.ts').Refusal }>
  told(id: string): Promise<import('../support/tab.ts').Told>
  pending(): string[]
  failed(): string[]
  whyNot(id: string): import('outbox-offline').Reason | undefined
  leading(): boolean
  list(): string[]
  tab(): string
  deleteAll(): Promise<void>
  recording(): string | undefined
  events(type: string): Record<string, unknown>[]
}
declare const list: {
  /** Who sends. */
  tab: string
  /** The texts of each committed render of the list, from the first. */
  renders: string[][]
  /** What a subscriber of the collection was told, in order: `insert milk`. */
  changes: string[]
  /** What the collection holds, in alphabetical order. */
  texts(): string[]
  idOf(text: string): string | undefined
}
