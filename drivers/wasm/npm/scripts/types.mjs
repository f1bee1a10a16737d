// Checks the type tests, and the examples in README and guides, against the built declarations, with the oldest
// TypeScript we support and the newest.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(dirname(fileURLToPath(import.meta.url)))

/** Each example becomes a module of its own. `tsconfig.json` beside them is the type tests' own. */
function writeExamples(folder) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const texts = ['README.md', ...readdirSync(join(here, 'guides')).map((name) => `guides/${name}`)]
  for (const text of texts) {
    const examples = readFileSync(join(here, text), 'utf8').matchAll(/^```(tsx?)\n(.*?)^```$/gms)
    for (const [index, [, extension, code]] of [...examples].entries()) {
      writeFileSync(join(folder, `${text.replace('/', '-')}-${index + 1}.${extension}`), `${code}\nexport {}\n`)
    }
  }
  writeFileSync(join(folder, 'given.d.ts'), `declare const userId: string
declare const yourSync: (sync: any) => void
interface Todo { id: string; text: string; done: boolean; rev?: number }
`)
  const config = { extends: '../../tests/types/tsconfig.examples.json', include: ['*'], exclude: [] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
}

writeExamples(join(here, 'target/examples'))
let failed = 0
// The declarations of TanStack DB are not ours to check: they are not made for every strict option.
const projects = ['', '.register', '.tanstack-db-lowest', '.tanstack-db-newest']
  .map((which) => `tests/types/tsconfig${which}.json`).concat('target/examples/tsconfig.json')
for (const typescript of ['typescript-5.4', 'typescript', 'typescript-next']) {
  for (const project of projects) {
    const compiler = join(here, 'node_modules', typescript, 'bin/tsc')
    try {
      execFileSync(process.execPath, [compiler, '-p', join(here, project)], { stdio: 'inherit' })
      console.log(`ok: ${typescript} ${project}`)
    } catch {
      failed += 1
      console.error(`failed: ${typescript} ${project}`)
    }
  }
}
process.exitCode = failed === 0 ? 0 : 1
