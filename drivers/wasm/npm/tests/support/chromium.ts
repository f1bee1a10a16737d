// Where Chromium is, and how it runs as root in a container, quiet and off the network.

/** Playwright's own browsers are not downloaded: the system's is used. */
export const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

export const args = [
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // A page that comes from a test's hands, and not off the network, may still ask a server on loopback.
  '--disable-features=LocalNetworkAccessChecks',
]
