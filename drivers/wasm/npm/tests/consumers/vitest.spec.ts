// An app's unit tests: in node, and in jsdom.
import { test } from '@playwright/test'

import { run } from '../support/processes.ts'
import { project } from './projects.ts'

test('it runs in node and in jsdom under vitest', async () => {
  await run(project('vitest'), 'vitest', 'run')
})
