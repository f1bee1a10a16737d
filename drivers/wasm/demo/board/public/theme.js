// The theme that was chosen, before anything is painted; without a choice, the system's.
try {
  const theme = localStorage.getItem('theme')
  if (theme) document.documentElement.dataset.theme = theme
} catch {
  // No storage: the system's theme.
}
