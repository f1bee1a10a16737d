// Packs the package and installs it, as a user does, in projects outside the repository.
import { cp, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

import { test as setup } from '@playwright/test'

import { run } from '../support/processes.ts'
import { package_, projects, templates } from './projects.ts'

setup('the package is packed, and installed outside the repository', async () => {
  setup.setTimeout(600_000)
  await mkdir(projects, { recursive: true })
  // What an earlier run installed by the same lock file stays.
  for (const name of await readdir(projects)) {
    if (name !== 'node_modules') await rm(join(projects, name), { recursive: true })
  }
  await cp(templates, projects, { recursive: true })
  for (const name of ['package.json', 'package-lock.json', '.npmrc']) await stat(join(projects, name))
  if (!(await exists(join(projects, 'node_modules/.package-lock.json')))) await run(projects, 'npm', 'ci')

  await run(package_, 'npm', 'pack', '--silent', '--pack-destination', projects)
  const packed = (await readdir(projects)).filter((name) => name.endsWith('.tgz'))
  await run(projects, 'npm', 'install', '--no-save', '--prefer-offline', `./${packed[0]}`)

  const example = join(templates, 'example.js')
  await cp(example, join(projects, 'vite/src/example.ts'))
  await cp(example, join(projects, 'webpack/src/example.js'))
  await cp(example, join(projects, 'esbuild/src/example.js'))
})

function exists(path: string): Promise<boolean> {
  return stat(path).then(() => true, () => false)
}
