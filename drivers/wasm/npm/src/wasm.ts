// Loads the engine's code, once per page.

import init, { Core as WasmCore } from '../build/wasm/outbox_wasm.js'
import type { Core, LoadCore, MakeCore, WasmSource } from './core.js'

/** Loads the wasm from `wasm`, or from where the entry point has it. */
export function loader(ownSource: () => WasmSource | Response): LoadCore {
  return (wasm) => {
    loading ??= load(() => wasm ?? ownSource()).catch((error: unknown) => {
      // The next start may find the network back.
      loading = undefined
      throw error
    })
    return loading
  }
}

let loading: Promise<MakeCore> | undefined

async function load(source: () => WasmSource | Response): Promise<MakeCore> {
  await init({ module_or_path: source() })
  return (config, name, host) => new WasmCore(config, name, host) as unknown as Core
}
