// The type error on args that JSON cannot carry names the culprit, however deep.

import type { JsonArgs } from 'outbox-offline'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const ok = <T extends true>() => {}

ok<Equal<JsonArgs<{ id: string; at: { when: Date } }>['at']['when'], { 'outbox: JSON cannot carry this': Date }>>()
ok<Equal<JsonArgs<bigint[]>[number], { 'outbox: JSON cannot carry this': bigint }>>()
ok<Equal<JsonArgs<{ list: (string | undefined)[] }>['list'][number], { 'outbox: JSON cannot carry this': undefined }>>()
ok<Equal<JsonArgs<[string, number?]>, [string, number?]>>()
ok<Equal<JsonArgs<unknown[]>, unknown[]>>()
ok<Equal<JsonArgs<readonly { a?: string }[][]>, readonly { a?: string }[][]>>()
ok<Equal<JsonArgs<{ id: string; tags?: readonly string[]; n: number | null }>, { id: string; tags?: readonly string[]; n: number | null }>>()

interface Visit { id: string; photos: { name: string; bytes: number }[]; kind: 'a' | 'b' }
ok<Visit extends JsonArgs<Visit> ? true : false>()
