// The board in Chromium, against the real office on loopback: on a desktop in light colours, on a phone in dark ones.
import { defineConfig } from '@playwright/test'

import { args, executablePath } from '../../npm/tests/support/chromium.ts'

export default defineConfig({
  testDir: 'stories',
  outputDir: '../../../../target/demo-tests',
  projects: [
    { name: 'desktop, light', use: { viewport: { width: 1440, height: 900 }, colorScheme: 'light' } },
    { name: 'phone, dark', use: { viewport: { width: 390, height: 844 }, colorScheme: 'dark' } },
  ],
  // Each test has a browser profile and an office of its own, so that tests may run side by side.
  fullyParallel: true,
  workers: 3,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  // Without a GPU every frame is drawn by the processor that the tests run on.
  use: { launchOptions: { executablePath, args }, contextOptions: { reducedMotion: 'reduce' } },
  reporter: 'list',
  forbidOnly: Boolean(process.env.CI),
})
