// What is packed is what a package should be.
import { readdir } from 'node:fs/promises'

import { test } from '@playwright/test'

import { run } from '../support/processes.ts'
import { project, projects } from './projects.ts'

test('publint finds nothing to say', async () => {
  await run(project('vite'), 'publint', 'run', '../node_modules/outbox-offline', '--strict')
})

test('the types are right for every resolution that an ESM package has', async () => {
  const packed = (await readdir(projects)).find((name) => name.endsWith('.tgz'))
  // The wasm is an asset: it has no types.
  await run(project('vite'), 'attw', `../${packed}`, '--profile', 'esm-only', '--exclude-entrypoints', 'outbox.wasm')
})

test('it runs in node and in jsdom under vitest', async () => {
  await run(project('vitest'), 'vitest', 'run')
})
