// Checks the type tests against the built declarations, with the oldest TypeScript we support and the newest.

import { execFileSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(dirname(fileURLToPath(import.meta.url)))
let failed = 0
for (const typescript of ['typescript-5.4', 'typescript', 'typescript-next']) {
  for (const project of ['tsconfig.json', 'tsconfig.register.json']) {
    const compiler = join(here, 'node_modules', typescript, 'bin/tsc')
    try {
      execFileSync(process.execPath, [compiler, '-p', join(here, 'tests/types', project)], { stdio: 'inherit' })
      console.log(`ok: ${typescript} ${project}`)
    } catch {
      failed += 1
      console.error(`failed: ${typescript} ${project}`)
    }
  }
}
process.exitCode = failed === 0 ? 0 : 1
