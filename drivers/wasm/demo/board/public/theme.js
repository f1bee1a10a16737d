// Which theme it is, said before anything is painted: the one that was chosen, else the system's, which can change.
const system = matchMedia('(prefers-color-scheme: dark)')

function chosen() {
  try {
    return localStorage.getItem('theme')
  } catch {
    return null // no storage: no choice
  }
}

function tell() {
  document.documentElement.dataset.theme = chosen() ?? (system.matches ? 'dark' : 'light')
}

tell()
system.addEventListener('change', tell)
