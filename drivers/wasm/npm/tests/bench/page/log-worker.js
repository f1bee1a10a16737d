// Appends to a file of the origin's private file system: each call is one write and one flush to the disk.

/** @type {any} */
let file
let end = 0
const encoder = new TextEncoder()

/** @param {MessageEvent<{ open?: string, append?: string[] }>} message */
globalThis.onmessage = async ({ data: { open, append } }) => {
  try {
    if (open !== undefined) {
      const folder = await navigator.storage.getDirectory()
      const handle = await folder.getFileHandle(open, { create: true })
      file = await /** @type {any} */ (handle).createSyncAccessHandle()
      end = file.getSize()
    }
    if (append !== undefined) {
      end += file.write(encoder.encode(append.join('\n')), { at: end })
      file.flush()
    }
    postMessage({ end })
  } catch (/** @type {any} */ error) {
    postMessage({ error: `${error.name}: ${error.message}` })
  }
}
