// Builds the package: the wasm by cargo, wasm-bindgen and wasm-opt; the code by esbuild; the types by tsc.
// Then prints what an app downloads, by part, and fails if a part has grown by more than 5 % since sizes.json.
//
//   npm run build              all of it
//   npm run build -- --record  and the sizes become the new measure
//   npm run build -- --no-wasm the wasm of the last time
//   npm run build -- --any-size however large it is: for who only wants to use it, with another compiler perhaps
//
// wasm-bindgen (the version of the crate's Cargo.toml) is taken from WASM_BINDGEN, or from the PATH.

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { gzipAsync } from '@gfx/zopfli'
import { build } from 'esbuild'

const here = dirname(dirname(fileURLToPath(import.meta.url)))
const top = resolve(here, '../../..')
const wasmDir = join(here, 'build/wasm')
const dist = join(here, 'dist')
const MAX_GROWTH = 1.05

function run(program, args, cwd = here) {
  execFileSync(program, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] })
}

/** The crate as wasm, with its glue. */
async function buildWasm() {
  const target = resolve(top, process.env.CARGO_TARGET_DIR ?? 'target')
  // As a cdylib alone: cargo does no link-time optimisation for a crate that is an rlib too, and that costs a fifth.
  run('cargo', ['rustc', '--package', 'outbox-wasm', '--lib', '--crate-type', 'cdylib', '--no-default-features', '--features', 'npm',
    '--target', 'wasm32-unknown-unknown', '--profile', 'npm'], top)
  const compiled = join(target, 'wasm32-unknown-unknown/npm/outbox_wasm.wasm')
  // The rest takes longer than a compilation in which nothing has changed: it is done once for what it is made of.
  const stamp = join(wasmDir, 'made-of')
  const madeOf = hashOf(compiled, fileURLToPath(import.meta.url), join(here, 'package-lock.json'))
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === madeOf) return
  rmSync(wasmDir, { recursive: true, force: true })
  mkdirSync(wasmDir, { recursive: true })
  run(process.env.WASM_BINDGEN ?? 'wasm-bindgen', [compiled, '--target', 'web',
    '--no-typescript', '--omit-default-module-path', '--out-dir', wasmDir, '--out-name', 'outbox_wasm'])
  const wasm = join(wasmDir, 'outbox.wasm')
  // The features that every browser above our floor has; with all of them some could not load it.
  // A function with one caller is a function still: of two alike, inlined in two places, gzip finds less.
  const optimised = ['-Oz', '-Oz', '--one-caller-inline-max-function-size=20', '--low-memory-unused', '--strip-debug', '--strip-producers', '--enable-bulk-memory',
    '--enable-mutable-globals', '--enable-nontrapping-float-to-int', '--enable-reference-types', '--enable-sign-ext',
    '--enable-multivalue', '--minify-imports-and-exports-and-modules', join(wasmDir, 'outbox_wasm_bg.wasm'), '-o', wasm]
  shortenNames(JSON.parse(execFileSync(join(here, 'node_modules/.bin/wasm-opt'), optimised, { encoding: 'utf8' })))
  // It is packed once and unpacked often: zopfli takes seconds, and 5 % off what gzip makes of it.
  const packed = await gzipAsync(readFileSync(wasm), { numiterations: 15 })
  writeFileSync(`${wasm}.gz.base64`, Buffer.from(packed).toString('base64'))
  writeFileSync(stamp, madeOf)
}

/** Gives the glue the names that wasm-opt gave the wasm: those of wasm-bindgen are long, and half of each is a hash. */
function shortenNames({ imports, exports }) {
  const short = new Map([...imports.map(([, name, to]) => [name, to]), ...exports])
  const glue = join(wasmDir, 'outbox_wasm.js')
  const text = readFileSync(glue, 'utf8')
    .replace(/(?<=\bwasm\.)\w+|\b__wb\w+(?=: )/g, (name) => short.get(name) ?? name)
    .replace('"./outbox_wasm_bg.js"', '"a"')
  writeFileSync(glue, text)
}

function hashOf(...files) {
  const hash = createHash('sha256')
  for (const file of files) hash.update(readFileSync(file))
  return hash.digest('hex')
}

/** The entry points; what they share is a chunk, so that both know the same outboxes. */
async function buildCode() {
  rmSync(dist, { recursive: true, force: true })
  const { metafile } = await build({
    absWorkingDir: here,
    entryPoints: { index: 'src/index.ts', external: 'src/external.ts', react: 'src/react/index.ts', 'tanstack-db': 'src/tanstack-db/index.ts' },
    outdir: 'dist',
    bundle: true,
    splitting: true,
    chunkNames: 'shared-[hash]',
    format: 'esm',
    target: 'es2022',
    sourcemap: true,
    minify: true,
    legalComments: 'none',
    loader: { '.base64': 'text' },
    external: ['./outbox.wasm', 'react'],
    metafile: true,
    logLevel: 'warning',
  })
  copyFileSync(join(wasmDir, 'outbox.wasm'), join(dist, 'outbox.wasm'))
  for (const license of ['LICENSE-MIT', 'LICENSE-APACHE']) copyFileSync(join(top, license), join(here, license))
  return metafile
}

/** Bytes on the wire, by part: the entry points themselves, and each with the chunks that it shares with others. */
function sizes({ outputs }) {
  const gzip = (file) => gzipSync(readFileSync(join(dist, file)), { level: 9 }).length
  const withImports = (file, all = new Set()) => {
    if (all.has(file)) return all
    all.add(file)
    for (const { path, external } of outputs[`dist/${file}`].imports) if (external !== true) withImports(path.slice('dist/'.length), all)
    return all
  }
  const sum = (files) => [...files].reduce((bytes, file) => bytes + gzip(file), 0)
  const beside = (file) => sum([...withImports(file)].filter((one) => !withImports('index.js').has(one)))
  const entries = ['index.js', 'external.js', 'tanstack-db.js', 'react.js']
  return {
    'outbox.wasm': gzip('outbox.wasm'),
    ...Object.fromEntries(entries.map((file) => [file, gzip(file)])),
    'in all: .': sum(withImports('index.js')),
    'in all: ./external': sum(withImports('external.js')) + gzip('outbox.wasm'),
    'beside ., ./tanstack-db': beside('tanstack-db.js'),
    'beside ., ./react': beside('react.js'),
  }
}

function checkSizes(now) {
  const file = join(here, 'sizes.json')
  const before = JSON.parse(readFileSync(file, 'utf8'))
  const grown = []
  console.log('gzip, bytes                    now  recorded')
  for (const [part, bytes] of Object.entries(now)) {
    const recorded = before[part] ?? Infinity
    console.log(`${part.padEnd(24)} ${String(bytes).padStart(9)} ${String(recorded).padStart(9)}`)
    if (bytes > recorded * MAX_GROWTH) grown.push(part)
  }
  if (process.argv.includes('--record')) writeFileSync(file, `${JSON.stringify(now, null, 2)}\n`)
  else if (grown.length > 0) {
    console.error(`more than 5 % larger than recorded: ${grown.join(', ')}. Make it smaller, or record it: npm run build -- --record`)
    if (!process.argv.includes('--any-size')) process.exitCode = 1
  }
}

if (!process.argv.includes('--no-wasm')) await buildWasm()
const metafile = await buildCode()
run(join(here, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'])
checkSizes(sizes(metafile))
