// Keeps the board's own files, so that it loads without a network. It never touches what the board reads or writes:
// that is the outbox's business, and the server's.

const CACHE = 'board'

/** Files that hold no hash in their names. */
const PLAIN = ['/icon.svg', '/board.webmanifest', '/theme.js', '/crashed.html']

self.addEventListener('install', (event) => {
  event.waitUntil(fetch('/').then(keep).then(() => self.skipWaiting()))
})

self.addEventListener('activate', (event) => {
  event.waitUntil(self.clients.claim())
})

self.addEventListener('fetch', (event) => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (request.method !== 'GET' || origin !== location.origin) return
  if (request.mode === 'navigate' && pathname === '/') event.respondWith(page(request))
  else if (pathname.startsWith('/assets/') || PLAIN.includes(pathname)) event.respondWith(file(request))
})

/** The page: the network's if there is one, so that a new build is seen at once. */
async function page(request) {
  try {
    const response = await fetch(request)
    if (response.ok) await keep(response.clone())
    return response
  } catch {
    return (await caches.match('/')) ?? Response.error()
  }
}

/** A file: the one that is kept. */
async function file(request) {
  return (await caches.match(request)) ?? fetch(request)
}

/** Keeps a page with the files that it names, and forgets those of builds before it. */
async function keep(response) {
  const text = await response.clone().text()
  const named = [...text.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path)
  const cache = await caches.open(CACHE)
  const kept = (await cache.keys()).map(({ url }) => new URL(url).pathname)
  await cache.addAll([...named, ...PLAIN].filter((path) => !kept.includes(path)))
  await cache.put('/', response)
  const old = kept.filter((path) => path.startsWith('/assets/') && !named.includes(path))
  await Promise.all(old.map((path) => cache.delete(path)))
}
