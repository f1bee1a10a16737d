// How a server meets requests that nobody has told it anything about.
import type { Mishap } from '../support/server.ts'

/** One request in five meets with a mishap. */
export function sometimes(): Mishap | undefined {
  const mishaps: Mishap[] = [
    { kind: 'drop the request' }, { kind: 'drop the reply' }, { kind: 'reset' }, { kind: 'delay', ms: 150 }, { kind: 'slow body', ms: 150 },
    { kind: 'unavailable', retryAfter: '1' },
  ]
  return Math.random() < 0.2 ? mishaps[Math.floor(Math.random() * mishaps.length)] : undefined
}
