// The suites in Chromium, against a real server on loopback: of the built package, and of projects that installed it.
import { defineConfig } from '@playwright/test'

import { args, executablePath } from './support/chromium.ts'

/** Set by `cargo xtask torture`. */
const isLong = process.env.OUTBOX_TORTURE_ROUNDS !== undefined

export default defineConfig({
  outputDir: '../../../../target/browser-tests',
  projects: [
    { name: 'browser', testDir: 'browser' },
    { name: 'torture', testDir: 'torture', testIgnore: 'firefox/**', timeout: 120_000, ...(!isLong && { grepInvert: /@long/ }) },
    { name: 'install', testDir: 'consumers', testMatch: '*.setup.ts' },
    { name: 'consumers', testDir: 'consumers', testMatch: '*.spec.ts', dependencies: ['install'], timeout: 120_000 },
  ],
  // Each test has a browser profile and a server of its own, so that tests may run side by side.
  fullyParallel: true,
  workers: 2,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  use: { launchOptions: { executablePath, args } },
  reporter: 'list',
  forbidOnly: Boolean(process.env.CI),
})
