// The benchmark: alone on the machine's browser, one measurement after the other.
import { defineConfig } from '@playwright/test'

export default defineConfig({
  testDir: '.',
  outputDir: '../../../../../target/browser-bench',
  workers: 1,
  timeout: 0,
  reporter: 'list',
})
