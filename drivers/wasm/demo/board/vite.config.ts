// Builds the board for the demo's server. One copy of React, wherever the package lies that asks for it.
import { defineConfig } from 'vite'

export default defineConfig({
  resolve: { dedupe: ['react', 'react-dom', '@tanstack/db', '@tanstack/react-db'] },
  build: {
    target: 'es2022',
    reportCompressedSize: false,
    chunkSizeWarningLimit: 2_000,
    // "use client" says nothing in a page that has no server part.
    rolldownOptions: { onLog: (level, log, handle) => log.code !== 'MODULE_LEVEL_DIRECTIVE' && handle(level, log) },
  },
})
