// The packages are installed a folder above, for all projects.
const root = new URL('..', import.meta.url).pathname

export default { turbopack: { root }, outputFileTracingRoot: root }
