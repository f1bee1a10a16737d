// What nobody can be faster than: a put into IndexedDB with nothing around it; and the other store that a browser
// has, a file of the origin's private file system, for a comparison of the two.

/** @param {'strict' | 'relaxed'} durability */
export async function bareStore(durability) {
  const db = await new Promise((/** @type {(db: IDBDatabase) => void} */ opened, failed) => {
    const request = indexedDB.open('bare', 1)
    request.onupgradeneeded = () => request.result.createObjectStore('rows', { autoIncrement: true })
    request.onsuccess = () => opened(request.result)
    request.onerror = () => failed(request.error)
  })
  return {
    /** One transaction. @param {...unknown} rows */
    put: (...rows) => new Promise((/** @type {(value?: undefined) => void} */ done, failed) => {
      const tx = db.transaction('rows', 'readwrite', { durability })
      for (const row of rows) tx.objectStore('rows').put(row)
      tx.oncomplete = () => done()
      tx.onabort = () => failed(tx.error)
      tx.commit()
    }),
    close: () => db.close(),
  }
}

/** A log in a file, behind a worker: a file is written synchronously, so no page may. */
async function openLog() {
  const worker = new Worker('/bench/log-worker.js', { type: 'module' })
  /** @param {unknown} message */
  const ask = (message) => new Promise((answered, failed) => {
    worker.onmessage = ({ data }) => ('error' in data ? failed(new Error(data.error)) : answered(data))
    worker.postMessage(message)
  })
  await ask({ open: 'bench.log' })
  return { append: (/** @type {string[]} */ records) => ask({ append: records }), close: () => worker.terminate() }
}

/**
 * Records a second and the median time of a batch, of both stores, in ms.
 * @param {number[]} batches how many records at once @param {number} count of records, of each size of batch
 */
export async function stores(batches, count) {
  const [log, strict, relaxed] = [await openLog(), await bareStore('strict'), await bareStore('relaxed')]
  const record = JSON.stringify({ id: crypto.randomUUID(), args: { text: 'x'.repeat(200) }, key: ['row'], version: 1 })
  /** @type {Record<string, (records: string[]) => Promise<unknown>>} */
  const stores = { opfs: log.append, strict: (records) => strict.put(...records), relaxed: (records) => relaxed.put(...records) }
  /** @type {Record<string, Record<number, number>>} */
  const figures = { opfs: {}, strict: {}, relaxed: {} }
  for (const batch of batches) {
    const records = Array.from({ length: batch }, () => record)
    /** @type {Record<string, number[]>} */
    const times = { opfs: [], strict: [], relaxed: [] }
    for (let done = 0; done < count; done += batch) {
      for (const [name, append] of Object.entries(stores)) {
        const start = performance.now()
        await append(records)
        times[name]?.push(performance.now() - start)
      }
    }
    for (const [name, all] of Object.entries(times)) {
      const figure = figures[name]
      if (figure !== undefined) figure[batch] = all.sort((a, b) => a - b)[all.length >> 1] ?? NaN
    }
  }
  for (const store of [log, strict, relaxed]) store.close()
  return figures
}
