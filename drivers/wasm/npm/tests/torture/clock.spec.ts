// The wall clock is set while items wait, are under way, and change hands: a replica's own clock never runs back, and
// a deadline that another clock has written holds nobody up for longer than its rule allows (R3, R10, R11, R30).
import { expect } from '@playwright/test'

import { rawTest as test, url } from './fixtures.ts'
import { violations } from './oracle.ts'
import type { RawTab } from './raw.ts'

const HOUR_MS = 3_600_000

interface Clock {
  /** By how much the wall clock is off, in ms. */
  clock: { off: number }
}

/** A wall clock that can be set; it is kept for the pages that follow in this tab. */
function settable(): void {
  const { now } = Date
  const clock = {
    get off() { return Number(sessionStorage.getItem('clock')) },
    set off(ms: number) { sessionStorage.setItem('clock', String(ms)) },
  }
  Date.now = () => now() + clock.off
  Object.assign(globalThis, { clock })
}

async function step(tab: RawTab, ms: number): Promise<void> {
  await tab.evaluate((ms) => void ((globalThis as unknown as Clock).clock.off += ms), ms)
}

const add = (tab: RawTab, text: string) => tab.evaluate((text) => todos.add(text, { key: text.slice(0, 1) }).then(() => {}), text)

for (const [name, ms] of [['forward', HOUR_MS], ['back', -HOUR_MS]] as const) {
  test(`the clock is set an hour ${name} while items wait and are under way`, async ({ server, browser2: browser }) => {
    const tab = await browser.tab(url(server), settable)
    await tab.leads()
    server.meets('a 1 0 0', { kind: 'unavailable', retryAfter: '3' })
    server.meets('b 1 0 0', { kind: 'hold' })
    server.meets('c 1 0 0', { kind: 'drop the request' }, 2)
    const texts = ['a 1 0 0', 'b 1 0 0', 'c 1 0 0', 'a 1 0 1', 'b 1 0 1', 'c 1 0 1']
    for (const text of texts.slice(0, 3)) await add(tab, text)
    for (const text of texts.slice(0, 3)) await server.hasSeen(text)

    await step(tab, ms)
    for (const text of texts.slice(3)) await add(tab, text)

    await server.hasSeen('c 1 0 1')
    await server.hasSeen('a 1 0 1')
    const [first, second] = server.arrivals.filter(({ text }) => text === 'a 1 0 0')
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(3_000)
    expect(server.arrived('b 1 0 0'), 'it is under way: it is neither late nor to be sent again').toBe(1)
    server.release()
    await tab.drained(20_000)
    expect(violations(server, texts)).toEqual([])
  })

  test(`a tab whose clock is an hour ${name} leads, and one whose clock is not takes over`, async ({ server, browser2: browser }) => {
    const leader = await browser.tab(url(server), settable)
    await step(leader, ms)
    await leader.reload()
    await leader.leads()
    const heir = await browser.tab(url(server), settable)
    await heir.ready()
    server.isInMood(({ text }) => (text.startsWith('a') ? { kind: 'unavailable', retryAfter: '2' } : { kind: 'drop the request' }))
    const texts = ['a 1 0 0', 'b 1 0 0', 'a 1 1 0', 'b 1 1 0']
    await add(leader, 'a 1 0 0')
    await add(leader, 'b 1 0 0')
    await server.hasSeen('a 1 0 0')
    await server.hasSeen('b 1 0 0', 2)
    await add(heir, 'a 1 1 0')
    await add(heir, 'b 1 1 0')

    server.isInMood(undefined)
    const start = Date.now()
    await leader.close()
    // A backoff is at most a minute by any clock. What the server has asked for is kept, and that may be a day (R11).
    await expect.poll(() => server.took.filter((text) => text.startsWith('b')), { timeout: 70_000 }).toEqual(['b 1 0 0', 'b 1 1 0'])
    console.log(`an hour ${name}: sends go on ${Date.now() - start} ms after the change of hands`)
    if (ms > 0) {
      await expect.poll(() => heir.evaluate(() => todos.pending())).toEqual(['a 1 0 0', 'a 1 1 0'])
      await step(heir, ms)
      await heir.reload()
    }
    await heir.drained(70_000)
    expect(violations(server, texts)).toEqual([])
    expect(server.took.filter((text) => text.startsWith('a'))).toEqual(['a 1 0 0', 'a 1 1 0'])
  })
}
