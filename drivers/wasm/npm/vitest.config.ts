// The tests run twice: as in node, and as in a page without IndexedDB (jsdom). No mock of the core: `npm run build` first.

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: ['node', 'jsdom'].map((environment) => ({
      extends: true as const,
      test: { name: environment, environment, include: ['tests/**/*.test.ts'] },
    })),
    testTimeout: 30_000,
  },
})
