// What page/app.js puts into the page, for the tests that call it.
declare const todos: {
  start(): import('outbox-offline').Outbox
  outbox(): import('outbox-offline').Outbox
  add(text: string, options?: { id?: string; key?: string }): Promise<string>
  cannotAdd(text: string): Promise<import('../support/tab.ts').Refusal>
  fill(length: number): Promise<{ stored: string[]; refusal: import('../support/tab.ts').Refusal }>
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
