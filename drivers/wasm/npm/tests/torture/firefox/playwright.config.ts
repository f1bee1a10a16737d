// The suite in Debian's Firefox: one browser at a time. Playwright is its runner alone: it drives no stock Firefox.
import { defineConfig } from '@playwright/test'

export default defineConfig({
  testDir: '.',
  outputDir: '../../../../../../target/firefox-tests',
  workers: 1,
  timeout: 180_000,
  expect: { timeout: 20_000 },
  reporter: 'list',
  forbidOnly: Boolean(process.env.CI),
})
