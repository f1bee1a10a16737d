// Somebody plays: fast clicks, every kind of trouble, tabs that open, crash and close. In the end nothing is lost.
import { test } from '../support/fixtures.ts'
import { Player } from '../support/player.ts'

/** How many things they do; more by hand: OUTBOX_PLAY_STEPS=400 OUTBOX_PLAY_SEED=7. */
const STEPS = Number(process.env.OUTBOX_PLAY_STEPS ?? 30)
const SEED = Number(process.env.OUTBOX_PLAY_SEED ?? 1)

/** Uniform in [0, 1): the same numbers for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

test('whatever is played, nothing is lost', async ({ board, context, office }) => {
  test.setTimeout(120_000 + STEPS * 5_000)
  // Whatever they do there answers, however slow the machine is.
  context.setDefaultTimeout(30_000)
  const player = new Player(randomOf(SEED), board, context, office)
  try {
    for (let step = 0; step < STEPS; step += 1) await player.plays()
    await player.hasLostNothing()
  } catch (error) {
    console.log(`seed ${SEED}:\n${player.story.join('\n')}`)
    throw error
  }
})
