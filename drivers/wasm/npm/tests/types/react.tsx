// The hooks: typed by the outbox that is given; any mutators otherwise, unless `Register` names them.

import { createElement, type ReactElement } from 'react'
import { createOutbox, type Attempt, type FailureRecord, type PendingItem, type Receipt } from 'outbox-offline'
import { OutboxProvider, useMutator, useOutbox, useOutboxItem, useOutboxLane } from 'outbox-offline/react'

const outbox = createOutbox({ mutators: { add: async ({ args }: Attempt<{ id: string; text: string }>) => args.text.length } })

export function App(): ReactElement {
  const { pendingCount, failures, online, leading, paused, retryFailure, pause } = useOutbox()
  const { state, item, failure, explanation, remove, retry } = useOutboxItem('id')
  const lane: readonly PendingItem[] = useOutboxLane(7)
  const add = useMutator('add', outbox)
  const any = useMutator('whatever')
  const words: string | undefined = explanation?.words
  const known: 'writing' | 'waiting' | 'sending' | 'confirming' | 'failed' | 'unknown' = state
  const record: FailureRecord | undefined = failure ?? failures[0]
  const submit = async () => {
    const receipt: Receipt<number> = await add({ id: '1', text: 'x' }, { key: 'k' })
    const length: number | undefined = (await receipt.settled).result
    await any({ anything: true })
    await pause('auth')
    const again: Receipt | undefined = record && await retryFailure(record.item.id)
    void [length, again, await remove(), await retry()]
    // @ts-expect-error wrong args
    await add({ id: 1 })
  }
  // @ts-expect-error no such mutator
  useMutator('ad', outbox)
  void [pendingCount.toFixed(), online, leading, paused.join(), item?.retryCount, lane.length, words, known, submit]
  return createElement(OutboxProvider, { outbox }, createElement('p', null, 'x'))
}
