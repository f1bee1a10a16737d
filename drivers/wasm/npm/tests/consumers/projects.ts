// Where the projects that use the package are.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package. */
export const package_ = fileURLToPath(new URL('../..', import.meta.url))
/** The projects as they are committed. */
export const templates = fileURLToPath(new URL('projects', import.meta.url))

const lock = createHash('sha256').update(readFileSync(join(templates, 'package-lock.json'))).digest('hex')
/** The projects as they are run; one folder for each lock file, so that their packages are installed once. */
export const projects = join(tmpdir(), `outbox-consumers-${lock.slice(0, 12)}`)

export const project = (name: string): string => join(projects, name)
