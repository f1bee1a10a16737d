// How fast pending items show in TanStack DB: restored after a restart, drained in waves; and the longest block of the
// thread on the way. Prints ratios against the public calls of TanStack DB on a tenth of the rows, and figures.
//
//   npm run build -- --no-wasm && node bench/tanstack-db.mjs [rows] [lowest|newest]

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createTestOutbox, memoryAdapter } from '../dist/index.js'
import { tanstackDb } from '../dist/tanstack-db.js'
