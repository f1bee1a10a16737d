// The tests run as in node, and as in a page without IndexedDB (jsdom); those of the view layers with the oldest and the
// newest of what they are made for. No mock of the core: `npm run build` first.

import { defineConfig } from 'vitest/config'

const units = ['node', 'jsdom'].map((environment) => ({
  extends: true as const,
  test: { name: environment, environment, include: ['tests/*.test.ts'] },
}))

const databases = ['lowest', 'newest'].map((version) => ({
  extends: true as const,
  resolve: { alias: { '@tanstack/db': `tanstack-db-${version}` } },
  test: { name: `tanstack-db ${version}`, environment: 'node', include: ['tests/tanstack-db/*.test.ts'] },
}))

/** react-dom must find the react of its own version. */
const reacts = [['18', 'tests/react-18/node_modules'], ['19', 'node_modules']].map(([version, modules]) => ({
  extends: true as const,
  resolve: {
    alias: [{ find: /^(react|react-dom)(\/.*)?$/, replacement: new URL(`${modules}/$1$2`, import.meta.url).pathname }],
  },
  test: { name: `react ${version}`, environment: 'jsdom', include: ['tests/react/*.test.tsx'], env: { REACT_VERSION: version as string } },
}))

export default defineConfig({
  test: { projects: [...units, ...databases, ...reacts], testTimeout: 30_000 },
})
