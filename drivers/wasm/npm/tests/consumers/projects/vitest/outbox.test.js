// An app's unit tests: an outbox in memory, whose clock and network are the test's.
import { createTestOutbox, NonRetriableError } from 'outbox-offline'
import { expect, test } from 'vitest'

test('what is written offline is sent online', async () => {
  const sent = []
  const addTodo = async ({ args }) => {
    sent.push(args.text)
    return { accepted: args.text }
  }
  const outbox = createTestOutbox({ mutators: { addTodo }, online: false })

  const receipt = await outbox.mutate.addTodo({ id: '123', text: 'Buy milk' })
  await outbox.advance(10_000)
  expect(sent).toEqual([])
  expect(outbox.getSnapshot().items).toHaveLength(1)

  outbox.setOnline(true)
  await outbox.advance(1_000)
  expect(sent).toEqual(['Buy milk'])
  expect(await receipt.settled).toMatchObject({ status: 'committed', result: { accepted: 'Buy milk' } })
  await outbox.dispose()
})

test('what fails is tried again by the clock, what is refused is not', async () => {
  let attempts = 0
  const addTodo = async () => {
    attempts += 1
    if (attempts < 3) throw new Error('not now')
    throw new NonRetriableError('never')
  }
  const outbox = createTestOutbox({ mutators: { addTodo } })

  const receipt = await outbox.mutate.addTodo({ id: '123', text: 'Buy a horse' })
  await outbox.idle()
  expect(attempts).toBe(1)
  await outbox.advance(3_000)
  expect(attempts).toBe(3)

  await expect(receipt.settled).rejects.toThrow('never')
  await outbox.advance(600_000)
  expect(attempts).toBe(3)
  expect(await outbox.failures()).toHaveLength(1)
  await outbox.dispose()
})
