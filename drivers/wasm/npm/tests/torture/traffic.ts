// Writes without a pause from a tab, each waiting for the one before of its key.

export const KEYS = ['a', 'b', 'c', 'd']

type Given = readonly [keys: string[], session: number, tab: number, untilMs: number, most: number]

/** A tab of any browser. */
interface Writer {
  readonly page: { evaluate(work: (given: Given) => Promise<void>, given: Given): Promise<void> }
}

/** A page that can call the test. */
interface Telling {
  exposeFunction(name: string, heard: (text: string) => void): Promise<unknown>
}

/** Lets the pages of a browser tell what was acknowledged, past their death. */
export async function listen(page: Telling, acknowledged: Set<string>): Promise<void> {
  await page.exposeFunction('acknowledged', (text: string) => void acknowledged.add(text))
}

/** So many of each key, so that what a slow machine cannot send does not pile up. */
const MOST = 8

/** Writes of all keys until the tab dies, or `untilMs` is over. */
export async function traffic(tab: Writer, session: number, number: number, untilMs = Infinity): Promise<void> {
  const work = async ([keys, session, tab, untilMs, most]: Given) => {
    const { acknowledged } = globalThis as unknown as { acknowledged(text: string): Promise<void> }
    const end = performance.now() + untilMs
    const write = async (key: string) => {
      for (let number = 0; number < most && performance.now() < end; number += 1) {
        const text = `${key} ${session} ${tab} ${number}`
        await todos.add(text, { key })
        void acknowledged(text)
        // A user, and no endless loop.
        await new Promise((done) => setTimeout(done, 50 + Math.random() * 150))
      }
    }
    await Promise.all(keys.map(write))
  }
  await tab.page.evaluate(work, [KEYS, session, number, Math.min(untilMs, 1e9), MOST])
}
