// The app's shell, the page and the built package, past the network: as a service worker keeps it for an app that
// starts offline. Only the to-dos and their changes go through the network.
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import type { BrowserContext } from '@playwright/test'

const page = fileURLToPath(new URL('../page', import.meta.url))
const built = fileURLToPath(new URL('../../dist', import.meta.url))
const folders: [string, string][] = [['/outbox/', built], ['/', page]]
const types: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
}

/** `more`: folders by the path that they lie under, such as `/bench/`. */
export async function keepShell(context: BrowserContext, more: Record<string, string> = {}): Promise<void> {
  const all = [...Object.entries(more), ...folders]
  await context.route(isShell, (route) => {
    const { pathname } = new URL(route.request().url())
    const { path, contentType } = fileOf(pathname, all)
    // A sandboxed frame has an origin of its own.
    return route.fulfill({ path, contentType, headers: { 'access-control-allow-origin': '*' } })
  })
}

function isShell({ pathname }: URL): boolean {
  return pathname !== '/todos' && pathname !== '/changes'
}

/** The page lies under `/`, the package under `/outbox/`. */
export function fileOf(pathname: string, all = folders): { path: string; contentType: string } {
  const [under, folder] = all.find(([under]) => pathname.startsWith(under)) ?? ['/', page]
  const path = join(folder, pathname.slice(under.length) || 'index.html')
  return { path, contentType: types[extname(path)] ?? 'application/octet-stream' }
}
