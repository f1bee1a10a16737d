// Builds the package: the wasm by cargo, wasm-bindgen and wasm-opt; the code by esbuild; the types by tsc.
// Then prints what an app downloads, by part, and fails if a part has grown by more than 5 % since sizes.json.
//
//   npm run build              all of it
//   npm run build -- --record  and the sizes become the new measure
//   npm run build -- --no-wasm the wasm of the last time
//
// wasm-bindgen (the version of the crate's Cargo.toml) is taken from WASM_BINDGEN, or from the PATH.

import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { compress } from '@blu3r4y/lzma'
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
function buildWasm() {
  const target = resolve(top, process.env.CARGO_TARGET_DIR ?? 'target')
  // As a cdylib alone: cargo does no link-time optimisation for a crate that is an rlib too, and that costs a fifth.
  run('cargo', ['rustc', '--quiet', '--package', 'outbox-wasm', '--lib', '--crate-type', 'cdylib', '--no-default-features', '--features', 'npm',
    '--target', 'wasm32-unknown-unknown', '--profile', 'npm'], top)
  rmSync(wasmDir, { recursive: true, force: true })
  mkdirSync(wasmDir, { recursive: true })
  run(process.env.WASM_BINDGEN ?? 'wasm-bindgen', [join(target, 'wasm32-unknown-unknown/npm/outbox_wasm.wasm'), '--target', 'web',
    '--no-typescript', '--omit-default-module-path', '--out-dir', wasmDir, '--out-name', 'outbox_wasm'])
  const wasm = join(wasmDir, 'outbox.wasm')
  // The features that every browser above our floor has; with all of them some could not load it.
  run(join(here, 'node_modules/.bin/wasm-opt'), ['-Oz', '-Oz', '--low-memory-unused', '--strip-debug', '--strip-producers', '--enable-bulk-memory',
    '--enable-mutable-globals', '--enable-nontrapping-float-to-int', '--enable-reference-types', '--enable-sign-ext',
    '--enable-multivalue', join(wasmDir, 'outbox_wasm_bg.wasm'), '-o', wasm])
  const packed = compress(readFileSync(wasm), 9)
  writeFileSync(`${wasm}.lzma.base64`, Buffer.from(packed).toString('base64'))
}

/** The entry points; what they share is a chunk, so that both know the same outboxes. */
async function buildCode() {
  rmSync(dist, { recursive: true, force: true })
  const { metafile } = await build({
    absWorkingDir: here,
    entryPoints: ['src/index.ts', 'src/external.ts'],
    outdir: 'dist',
    bundle: true,
    splitting: true,
    chunkNames: 'shared',
    format: 'esm',
    target: 'es2022',
    sourcemap: true,
    minify: true,
    legalComments: 'none',
    loader: { '.base64': 'text' },
    external: ['./outbox.wasm'],
    metafile: true,
    logLevel: 'warning',
  })
  copyFileSync(join(wasmDir, 'outbox.wasm'), join(dist, 'outbox.wasm'))
  for (const license of ['LICENSE-MIT', 'LICENSE-APACHE']) copyFileSync(join(top, license), join(here, license))
  return metafile
}

/** Bytes on the wire, by part. */
function sizes() {
  const gzip = (file) => gzipSync(readFileSync(join(dist, file)), { level: 9 }).length
  const parts = { 'outbox.wasm': gzip('outbox.wasm'), 'shared.js': gzip('shared.js'), 'index.js': gzip('index.js'), 'external.js': gzip('external.js') }
  return {
    ...parts,
    'in all: .': parts['index.js'] + parts['shared.js'],
    'in all: ./external': parts['external.js'] + parts['shared.js'] + parts['outbox.wasm'],
  }
}

function checkSizes(now) {
  const file = join(here, 'sizes.json')
  const before = JSON.parse(readFileSync(file, 'utf8'))
  const grown = []
  console.log('gzip, bytes                now  recorded')
  for (const [part, bytes] of Object.entries(now)) {
    const recorded = before[part] ?? Infinity
    console.log(`${part.padEnd(20)} ${String(bytes).padStart(9)} ${String(recorded).padStart(9)}`)
    if (bytes > recorded * MAX_GROWTH) grown.push(part)
  }
  if (process.argv.includes('--record')) writeFileSync(file, `${JSON.stringify(now, null, 2)}\n`)
  else if (grown.length > 0) {
    console.error(`more than 5 % larger than recorded: ${grown.join(', ')}. Make it smaller, or record it: npm run build -- --record`)
    process.exitCode = 1
  }
}

if (!process.argv.includes('--no-wasm')) buildWasm()
await buildCode()
run(join(here, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'])
checkSizes(sizes())
