// Every write of the board, and the file to copy from: how it shows at once, how it is sent, and what its answer means.

import { defaultOutbox, mutator, registerOfflineMutators, responseError, type Attempt } from 'outbox-offline'

import { apply, visits, type Change, type Status, type Visit } from './visits'

/** What an edit changes: only what it names. */
export type Edit = { id: string } & Partial<Pick<Visit, 'customer' | 'task' | 'time' | 'assignee' | 'note'>>

// A visit is a lane: as nothing else is said, `args.id` is the key, so what is done to one visit reaches the office in
// the order in which it was done, and other visits are not held up by it.
export const mutators = {
  createVisit: mutator({
    mutate: (attempt: Attempt<Visit>) => send(attempt, 'PUT', attempt.args),
    optimistic: (visit) => { visits.insert({ ...visit }) },
    confirmed,
    idempotencyKey: true,
  }),
  moveVisit: mutator({
    mutate: (attempt: Attempt<{ id: string; status: Status }>) => send(attempt, 'PATCH', { status: attempt.args.status }),
    optimistic: ({ id, status }) => { visits.update(id, (visit) => { visit.status = status }) },
    confirmed,
    idempotencyKey: true,
  }),
  editVisit: mutator({
    mutate: (attempt: Attempt<Edit>) => {
      const { id: _, ...edit } = attempt.args
      return send(attempt, 'PATCH', edit)
    },
    optimistic: ({ id, ...edit }) => { visits.update(id, (visit) => { Object.assign(visit, edit) }) },
    confirmed,
    idempotencyKey: true,
  }),
  deleteVisit: mutator({
    // The customer is for people who read the list of what is pending.
    mutate: (attempt: Attempt<{ id: string; customer: string }>) => send(attempt, 'DELETE'),
    optimistic: ({ id }) => { visits.delete(id) },
    confirmed,
    idempotencyKey: true,
  }),
}

declare module 'outbox-offline' {
  interface Register { mutators: typeof mutators }
}

registerOfflineMutators(mutators)

/** One request. The attempt's `fetch` carries the idempotency key, and tells a bad network from a bug. */
async function send({ args, fetch }: Attempt<{ id: string }>, method: string, body?: object): Promise<Change> {
  const response = await fetch(`/visits/${encodeURIComponent(args.id)}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  if (response.ok) return await response.json() as Change
  // Nothing is dropped because a login expired: everything waits until there is a new one.
  if (response.status === 401) await defaultOutbox().pause(LOGIN)
  const error = responseError(response)
  error.message = await whatItSays(response) ?? error.message
  throw error
}

/** Why the outbox is paused when the login has expired. */
export const LOGIN = 'login'

/** The office's own words. */
async function whatItSays(response: Response): Promise<string | undefined> {
  try {
    const { error } = await response.json() as { error?: { message?: string } }
    return error?.message
  } catch {
    return undefined
  }
}

/** In every tab, before the pending change goes: what the office answered is there, so that nothing flickers. */
function confirmed(change: Change | undefined): void {
  if (change !== undefined) apply([change])
}
