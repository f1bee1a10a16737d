// @ts-check
/**
 * The storage in IndexedDB: one database per outbox name, one transaction per request, acknowledged when the
 * transaction is complete.
 *
 * | object store | holds |
 * |---|---|
 * | `items` | rows by `seq`, found by `id` too |
 * | `failures` | failure records by age (`at`), found by `id` too |
 * | `log` | what changed, by change counter; at most `LOG_KEPT` transactions |
 * | `meta` | one record: store id, epoch, change counter, `through`, pause reasons |
 * | `spare` | records to delete when the quota is used up: each that is missing is one more change, or epoch |
 *
 * Seqs are counted in `meta`, in the transaction that uses them, and not by the key generator: so an aborted
 * transaction leaves no hole in any browser, and `through` outlives its row.
 */
import { beforeFreeze, frozen } from './page.js';
import { Plan, idOf } from './plan.js';

/**
 * @typedef {import('./types.d.ts').Fence} Fence
 * @typedef {import('./types.d.ts').Scope} Scope
 * @typedef {import('./types.d.ts').Write} Write
 * @typedef {import('./types.d.ts').Committed} Committed
 * @typedef {import('./types.d.ts').Snapshot} Snapshot
 * @typedef {import('./types.d.ts').OutboxStorage} OutboxStorage
 * @typedef {import('./plan.js').Meta} Meta
 * @typedef {import('./plan.js').Row} Row
 * @typedef {import('./plan.js').Failure} Failure
 * @typedef {import('./plan.js').Change} Change
 * @typedef {{ changes: number, epochs: number }} Spare how many spare records are left of each kind
 */

const VERSION = 1;
const STORES = ['items', 'failures', 'log', 'meta', 'spare'];
/** So many transactions in a row can count as changes without a put: their keys are 0 and up. */
const SPARE_CHANGES = 64;
/** So many takeovers in a row can raise the epoch without a put: their keys are those that follow. */
const SPARE_EPOCHS = 16;
/** The log's transactions: an older `since` is answered with everything. */
const LOG_KEPT = 1024;
const TRIM_EVERY = 64;
/** All spare records are there: nothing was done by deletes alone. */
const FULL_SPARE = { changes: SPARE_CHANGES, epochs: SPARE_EPOCHS };
/** The only key of `meta`. */
const THE_ONE = 0;

/** With these a transaction is rolled back for certain, whenever they come. */
const ROLLED_BACK = new Set(['ConstraintError', 'DataError', 'DataCloneError']);

/** Writes that leave no trace in the log, and need nothing else from it. */
const UNLOGGED = new Set(['insert', 'pause', 'resume']);
const OF_FAILURES = new Set(['bury', 'retryFailure', 'dismissFailure']);
/** The page is frozen, and what was not yet being committed is rolled back. */
const FROZEN = { code: 'frozen' };
/** A guess was wrong. */
const WRONG = { code: 'wrong' };

/** Writes that can be carried out by deletes alone. */
const DELETES = new Set(['delete', 'remove', 'dismissFailure']);

let askedToPersist = false;

/** @implements {OutboxStorage} */
export class IndexedDbStorage {
  #name = '';
  /** @type {IDBDatabase | undefined} */
  #db;
  /** @type {Promise<IDBDatabase> | undefined} */
  #opening;
  #closed = false;
  /** As this connection left it: mostly nobody else has written since. @type {Meta | undefined} */
  #seen;
  #durability;
  #askToPersist;

  /**
   * @param {object} [options]
   * @param {'strict' | 'relaxed'} [options.durability] `strict` (the default) waits until it is on disk;
   *   `relaxed` survives a crash of the browser, but perhaps not a loss of power
   * @param {boolean} [options.persist] whether the browser is asked, once, to keep the data when space is
   *   scarce; default true
   */
  constructor({ durability = 'strict', persist = true } = {}) {
    this.#durability = durability;
    this.#askToPersist = persist;
  }

  /** One that is open, or is being opened, is not opened again. @param {string} name */
  async open(name) {
    this.#name = name;
    if (this.#db === undefined) await this.#connect();
    if (this.#askToPersist && !askedToPersist) {
      askedToPersist = true;
      globalThis.navigator?.storage?.persist?.().catch(() => undefined); // a no costs nothing but safety
    }
  }

  /** @returns {Promise<Snapshot>} */
  acquire() {
    return unlessFull(() => this.#acquire(putMeta), () => this.#acquire(raiseEpochByDelete));
  }

  /** @param {(tx: IDBTransaction, meta: Meta, spare: Spare) => void} raise @returns {Promise<Snapshot>} */
  #acquire(raise) {
    return this.#transact('readwrite', STORES, async (tx, commit) => {
      const reads = [...getMeta(tx), tx.objectStore('items').getAll(), tx.objectStore('failures').getAll()];
      const [stored, keys, rows, failures] = /** @type {[Meta, number[], Row[], Failure[]]} */ (await all(reads));
      const { meta, spare } = current(stored, keys);
      meta.epoch += 1;
      raise(tx, meta, spare);
      commit();
      return { ...numbers(meta), full: true, rows, failures };
    });
  }

  /** @param {Fence | undefined} fence @param {Scope} scope @returns {Promise<Snapshot>} */
  load(fence, scope) {
    return this.#transact('readonly', STORES, async (tx) => {
      const meta = await metaOf(tx, fence);
      const part =
        scope.kind === 'items'
          ? await loadItems(tx, scope.seqs)
          : scope.kind === 'since' && scope.change >= meta.logSince && scope.change <= meta.change
            ? await loadSince(tx, meta, scope)
            : await loadAll(tx);
      return { ...numbers(meta), ...part };
    });
  }

  /** @param {Fence | undefined} fence @param {readonly Write[]} writes @returns {Promise<Committed>} */
  persist(fence, writes) {
    const attempt = () => this.#persist(fence, writes);
    if (!writes.every(({ op }) => DELETES.has(op))) return attempt();
    return unlessFull(attempt, () => this.#inTwoRounds(fence, writes, writeDeletesAlone));
  }

  /** @param {Fence | undefined} fence @param {readonly Write[]} writes @returns {Promise<Committed>} */
  async #persist(fence, writes) {
    const seen = this.#seen;
    const committed = seen && canGuess(writes) ? await this.#inOneRound(seen, fence, writes) : undefined;
    return committed ?? this.#inTwoRounds(fence, writes, write);
  }

  /**
   * Reads and writes at once, on the guess that nobody else has written since `seen`: what is read then tells
   * whether it may be committed. `undefined`: the guess was wrong, and all of it is rolled back.
   *
   * @param {Meta} seen @param {Fence | undefined} fence @param {readonly Write[]} writes
   * @returns {Promise<Committed | undefined>}
   */
  async #inOneRound(seen, fence, writes) {
    const work = async (/** @type {IDBTransaction} */ tx, /** @type {() => void} */ commit) => {
      const found = check(tx, fence, seen, writes);
      const plan = Plan.guessed({ ...seen }, writes);
      const results = plan.carryOut(writes);
      write(tx, plan, FULL_SPARE);
      await found;
      commit();
      return { results, meta: plan.meta };
    };
    try {
      return await this.#carryOut(writes, work);
    } catch (/** @type {any} */ error) {
      if (error === WRONG || error.cause?.name === 'ConstraintError') return undefined;
      throw error;
    }
  }

  /**
   * @param {Fence | undefined} fence @param {readonly Write[]} writes
   * @param {(tx: IDBTransaction, plan: Plan, spare: Spare) => void} write
   * @returns {Promise<Committed>}
   */
  #inTwoRounds(fence, writes, write) {
    return this.#carryOut(writes, async (tx, commit) => {
      const { plan, spare } = await read(tx, fence, writes);
      const results = plan.carryOut(writes);
      write(tx, plan, spare);
      commit();
      return { results, meta: plan.meta };
    });
  }

  /**
   * One transaction; what it leaves is seen only if it is known to be complete.
   * @param {readonly Write[]} writes
   * @param {(tx: IDBTransaction, commit: () => void) => Promise<{ results: Committed['results'], meta: Meta }>} work
   * @returns {Promise<Committed>}
   */
  async #carryOut(writes, work) {
    this.#seen = undefined;
    const { results, meta } = await this.#transact('readwrite', storesOf(writes), work);
    this.#seen = meta;
    return { results, change: meta.change };
  }

  close() {
    this.#closed = true;
    this.#db?.close();
    this.#db = undefined;
  }

  /** @param {string} name @returns {Promise<void>} */
  destroy(name) {
    this.#db?.close();
    this.#db = undefined;
    return new Promise((resolve, reject) => {
      const request = indexedDB.deleteDatabase(databaseName(name));
      request.onsuccess = () => resolve();
      request.onerror = () => reject(unavailable(request.error));
    });
  }

  /**
   * One transaction. On a connection that is lost it is repeated once, on a new one, if it cannot have been
   * committed. While the page is frozen there is none: it would hold up those of all other tabs.
   *
   * @template T
   * @param {IDBTransactionMode} mode
   * @param {string[]} stores
   * @param {(tx: IDBTransaction, commit: () => void) => Promise<T>} work calls `commit` when it has asked
   *   for its last write
   * @returns {Promise<T>}
   */
  async #transact(mode, stores, work) {
    for (let first = true; ; ) {
      await frozen();
      const db = this.#db ?? (await this.#connect());
      try {
        return await transaction(db, mode, stores, this.#durability, work);
      } catch (error) {
        if (error === FROZEN) continue;
        if (!(error instanceof Lost)) throw error;
        this.#forget(db);
        if (!first || this.#closed) throw unavailable(error.cause);
        first = false;
      }
    }
  }

  /** @returns {Promise<IDBDatabase>} */
  #connect() {
    if (this.#closed) return Promise.reject(storageFailure('unavailable', 'the storage is closed'));
    this.#opening ??= openDatabase(this.#name)
      .then((db) => {
        if (this.#closed) {
          db.close();
          throw storageFailure('unavailable', 'the storage is closed');
        }
        db.onclose = () => this.#forget(db);
        db.onversionchange = () => this.#forget(db); // another tab upgrades or deletes it
        this.#db = db;
        return db;
      })
      .finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  /** @param {IDBDatabase} db */
  #forget(db) {
    db.close(); // after what is under way
    if (this.#db === db) this.#db = undefined;
  }
}

/** The connection was lost, and the transaction cannot have been committed. */
class Lost {
  /** @param {unknown} cause */
  constructor(cause) {
    this.cause = cause;
  }
}

/** @param {string} name */
const databaseName = (name) => `outbox:${name}`;

/** The upgrades that an older tab holds up: an open that follows would wait behind its like, and be told nothing. */
const heldUp = new Set();

/** @param {string} name @returns {Promise<IDBDatabase>} */
function openDatabase(name) {
  return new Promise((resolve, reject) => {
    const blocked = () => {
      const message = 'another tab keeps an older database of the outbox open; close it or reload it';
      reject(storageFailure('unavailable', message));
    };
    if (heldUp.has(name)) return blocked();
    const request = indexedDB.open(databaseName(name), VERSION);
    let givenUp = false;
    request.onupgradeneeded = () => create(request.result);
    request.onblocked = () => {
      givenUp = true;
      heldUp.add(name);
      blocked();
    };
    request.onsuccess = () => {
      heldUp.delete(name);
      if (givenUp) request.result.close();
      else resolve(request.result);
    };
    request.onerror = (event) => {
      event.preventDefault(); // it is told, and is no error of the page
      heldUp.delete(name);
      reject(unavailable(request.error));
    };
  }).catch((error) => {
    throw 'code' in error && typeof error.code === 'string' ? error : unavailable(error);
  });
}

/** @param {IDBDatabase} db */
function create(db) {
  db.createObjectStore('items', { keyPath: 'seq' }).createIndex('id', 'id', { unique: true });
  db.createObjectStore('failures', { keyPath: 'at' }).createIndex('id', 'id', { unique: true });
  db.createObjectStore('log');
  const random = crypto.getRandomValues(new Uint8Array(16));
  const store = Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
  /** @type {Meta} */
  const meta = { store, epoch: 0, change: 0, through: 0, failed: 0, logSince: 0, paused: [] };
  db.createObjectStore('meta').add(meta, THE_ONE);
  const spare = db.createObjectStore('spare');
  for (let key = 0; key < SPARE_CHANGES + SPARE_EPOCHS; key += 1) spare.add(0, key);
}

/**
 * A quota that is used up refuses every put, but no transaction that only deletes: so a full disk drains (R5).
 * @template T
 * @param {() => Promise<T>} work
 * @param {() => Promise<T>} byDeletes the same, with no put in it
 * @returns {Promise<T>}
 */
async function unlessFull(work, byDeletes) {
  try {
    return await work();
  } catch (error) {
    if (/** @type {any} */ (error).code !== 'full') throw error;
    return byDeletes();
  }
}

/**
 * @template T
 * @param {IDBDatabase} db
 * @param {IDBTransactionMode} mode
 * @param {string[]} stores
 * @param {'strict' | 'relaxed'} durability
 * @param {(tx: IDBTransaction, commit: () => void) => Promise<T>} work
 * @returns {Promise<T>}
 */
function transaction(db, mode, stores, durability, work) {
  return new Promise((resolve, reject) => {
    /** @type {IDBTransaction} */
    let tx;
    try {
      tx = db.transaction(stores, mode, { durability });
    } catch (error) {
      return reject(new Lost(error)); // the connection is closed: nothing was asked
    }
    let committing = false;
    /** @type {unknown} */
    let thrown;
    /** @type {T} */
    let result;
    const ended = beforeFreeze(() => !committing && abort(FROZEN));
    tx.oncomplete = () => {
      ended();
      resolve(result);
    };
    tx.onabort = () => {
      ended();
      reject(thrown ?? aborted(tx.error, committing));
    };
    const commit = () => {
      committing = true;
      tx.commit?.();
    };
    const abort = (/** @type {unknown} */ why) => {
      try {
        tx.abort();
        thrown = why;
      } catch {
        // It ends already, and says why.
      }
    };
    work(tx, commit).then(
      (done) => (result = done),
      (error) => abort(error.code && typeof error.code === 'string' ? error : unavailable(error)),
    );
  });
}

/**
 * Why a transaction was aborted.
 * @param {DOMException | null} error
 * @param {boolean} committing whether its last write was asked for
 */
function aborted(error, committing) {
  if (error?.name === 'QuotaExceededError') {
    return quotaUsedUp(error);
  }
  if (error && ROLLED_BACK.has(error.name)) return unavailable(error);
  if (!committing) return new Lost(error);
  return storageFailure('unknown', 'the connection was lost during a commit: it may have been stored', error);
}

/** @param {unknown} [cause] */
const quotaUsedUp = (cause) =>
  storageFailure('full', 'the quota of this site is used up; nothing was written', cause);

/** @param {any} error */
function unavailable(error) {
  if (error?.name === 'VersionError') {
    const message = 'a newer build has upgraded the database of the outbox; reload this page';
    return storageFailure('unavailable', message, error);
  }
  const said = error ? `${error.name}: ${error.message}` : 'it gave no reason';
  const message =
    typeof indexedDB === 'undefined' || error?.name === 'SecurityError'
      ? `this page may not store anything (private mode, blocked site data, or a sandboxed frame): ${said}`
      : `IndexedDB failed: ${said}`;
  return storageFailure('unavailable', message, error);
}

/** @param {IDBTransaction} tx */
const getMeta = (tx) => [tx.objectStore('meta').get(THE_ONE), tx.objectStore('spare').getAllKeys()];

/**
 * What is stored, and what was changed by deletes alone since; the log knows nothing of that.
 * @param {Meta} stored @param {number[]} keys of the spare records that are left
 * @returns {{ meta: Meta, spare: Spare }}
 */
function current(stored, keys) {
  const changes = keys.filter((key) => key < SPARE_CHANGES).length;
  const spare = { changes, epochs: keys.length - changes };
  const meta = { ...stored, epoch: stored.epoch + SPARE_EPOCHS - spare.epochs };
  if (spare.changes < SPARE_CHANGES) {
    meta.change += SPARE_CHANGES - spare.changes;
    meta.logSince = meta.change;
  }
  return { meta, spare };
}

/** @param {IDBTransaction} tx @param {Meta} meta @param {Spare} spare */
function putMeta(tx, meta, spare) {
  tx.objectStore('meta').put(meta, THE_ONE);
  // They are used up from the last one on.
  for (let key = spare.changes; key < SPARE_CHANGES; key += 1) tx.objectStore('spare').add(0, key);
  for (let key = spare.epochs; key < SPARE_EPOCHS; key += 1) tx.objectStore('spare').add(0, SPARE_CHANGES + key);
}

/** @param {IDBTransaction} tx @param {Meta} _meta @param {Spare} spare */
function raiseEpochByDelete(tx, _meta, spare) {
  if (spare.epochs === 0) throw quotaUsedUp();
  tx.objectStore('spare').delete(SPARE_CHANGES + spare.epochs - 1);
}

/** @param {Meta} meta */
const numbers = ({ store, epoch, change, through, paused }) => ({ store, epoch, change, through, paused });

/** The results of requests; they are answered in order, so only the last is waited for.
 * @param {IDBRequest[]} requests @returns {Promise<any[]>} */
function all(requests) {
  const last = requests[requests.length - 1];
  if (last === undefined) return Promise.resolve([]);
  // One that fails aborts the transaction, and that is told.
  return new Promise((resolve) => (last.onsuccess = () => resolve(requests.map((request) => request.result))));
}

/** @param {IDBTransaction} tx @param {Fence | undefined} fence @returns {Promise<Meta>} */
async function metaOf(tx, fence) {
  const [stored, keys] = await all(getMeta(tx));
  const { meta } = current(stored, keys);
  checkFence(meta, fence);
  return meta;
}

/** @param {Meta} meta @param {Fence | undefined} fence */
function checkFence(meta, fence) {
  if (fence && (fence.store !== meta.store || fence.epoch !== meta.epoch)) {
    throw storageFailure('fenced', 'another replica leads this outbox; nothing was written');
  }
}

/**
 * Whether their outcome can be guessed: what they are about is there, and what they add is not. Inserts come last:
 * so nothing before them makes room for an id that is taken.
 * @param {readonly Write[]} writes
 */
function canGuess(writes) {
  const first = writes.findIndex(({ op }) => op === 'insert');
  const [before, inserts] = first < 0 ? [writes, []] : [writes.slice(0, first), writes.slice(first)];
  return before.every(({ op }) => op === 'put' || op === 'delete') && inserts.every(({ op }) => op === 'insert');
}

/** The object stores that these writes touch: a transaction over fewer of them is faster.
 * @param {readonly Write[]} writes */
function storesOf(writes) {
  const stores = ['items', 'meta', 'spare'];
  if (writes.some(({ op }) => !UNLOGGED.has(op))) stores.push('log');
  if (writes.some(({ op }) => OF_FAILURES.has(op))) stores.push('failures');
  return stores;
}

/** @param {IDBTransaction} tx */
async function loadAll(tx) {
  const [rows, failures] = await all([tx.objectStore('items').getAll(), tx.objectStore('failures').getAll()]);
  return { full: true, rows, failures };
}

/** @param {IDBTransaction} tx @param {number[]} asked */
async function loadItems(tx, asked) {
  const seqs = [...new Set(asked)].sort((a, b) => a - b);
  const rows = await all(seqs.map((seq) => tx.objectStore('items').get(seq)));
  const missing = seqs.filter((_, index) => rows[index] === undefined);
  const outcomes = new Map();
  if (missing.length > 0) {
    const [log] = await all([tx.objectStore('log').getAll()]);
    for (const change of log) for (const [seq, outcome] of change.gone) outcomes.set(seq, outcome);
  }
  const gone = missing.map((seq) => ({ seq, outcome: outcomes.get(seq) }));
  return { full: false, rows: rows.filter((row) => row !== undefined), gone };
}

/** @param {IDBTransaction} tx @param {Meta} meta @param {{ change: number, through: number }} since */
async function loadSince(tx, meta, { change, through }) {
  if (change === meta.change && through === meta.through) return { full: false, rows: [], gone: [] };
  const items = tx.objectStore('items');
  const [log, newer] = /** @type {[Change[], Row[]]} */ (
    await all([
      tx.objectStore('log').getAll(IDBKeyRange.lowerBound(change, true)),
      items.getAll(IDBKeyRange.lowerBound(through, true)),
    ])
  );
  const ends = new Map(log.flatMap((changed) => changed.gone));
  const put = new Set(log.flatMap((changed) => changed.put).filter((seq) => seq <= through && !ends.has(seq)));
  const hasFailures = log.some((changed) => changed.failures);
  const requests = [...put].sort((a, b) => a - b).map((seq) => items.get(seq));
  if (hasFailures) requests.push(tx.objectStore('failures').getAll());
  const read = await all(requests);
  const failures = hasFailures ? read.pop() : undefined;
  const gone = [...ends].sort(([a], [b]) => a - b).map(([seq, outcome]) => ({ seq, outcome }));
  return { full: false, rows: [...read, ...newer], gone, failures };
}

/**
 * Rejects unless all is as it was guessed to be. That an id is new need not be read: else it cannot be added.
 * @param {IDBTransaction} tx @param {Fence | undefined} fence @param {Meta} seen @param {readonly Write[]} writes
 */
async function check(tx, fence, seen, writes) {
  const items = tx.objectStore('items');
  const requests = [tx.objectStore('meta').get(THE_ONE), tx.objectStore('spare').count()];
  for (const write of writes) {
    if (write.op === 'delete') requests.push(items.getKey(write.seq));
    else if (write.op === 'put') requests.push(items.get(write.seq));
  }
  const about = writes.filter(({ op }) => op !== 'insert');
  const [meta, spare, ...found] = await all(requests);
  if (spare !== SPARE_CHANGES + SPARE_EPOCHS) throw WRONG;
  checkFence(meta, fence);
  const isSeen = meta.change === seen.change && meta.store === seen.store && meta.epoch === seen.epoch;
  const isThere = about.every((write, index) => {
    return write.op === 'put' ? found[index]?.id === idOf(write.record) : found[index] !== undefined;
  });
  if (!isSeen || !isThere) throw WRONG;
}

/**
 * The first round: everything that decides what the writes do.
 * @param {IDBTransaction} tx @param {Fence | undefined} fence @param {readonly Write[]} writes
 */
async function read(tx, fence, writes) {
  const items = tx.objectStore('items');
  const ids = items.index('id');
  const requests = getMeta(tx);
  /** @type {((plan: Plan, result: any) => void)[]} */
  const takers = [];
  /** @param {IDBRequest} request @param {(plan: Plan, result: any) => void} take */
  const ask = (request, take) => {
    requests.push(request);
    takers.push(take);
  };
  /** @param {number} seq */
  const askForSeq = (seq) =>
    ask(items.getKey(seq), (plan, found) => {
      if (found !== undefined) plan.rows.set(seq, plan.rows.get(seq) ?? {});
    });
  /** @param {string} id */
  const askForItem = (id) =>
    ask(ids.getKey(id), (plan, seq) => {
      plan.seqs.set(id, seq);
      if (seq !== undefined) plan.rows.set(seq, { ...plan.rows.get(seq), id });
    });
  /** @param {string} id */
  const askForFailure = (id) => ask(tx.objectStore('failures').index('id').getKey(id), (plan, at) => plan.places.set(id, at));
  for (const write of writes) {
    switch (write.op) {
      case 'delete':
        askForSeq(write.seq);
        break;
      case 'bury':
        askForSeq(write.seq);
        askForFailure(write.id);
        break;
      case 'put': // it keeps the id
        ask(items.get(write.seq), (plan, row) => row && plan.rows.set(write.seq, row));
        break;
      case 'retryFailure':
        askForFailure(write.failure);
        askForItem(write.id);
        break;
      case 'dismissFailure':
        askForFailure(write.id);
        break;
      case 'remove':
      case 'insert':
        askForItem(write.id);
        break;
    }
  }
  const [stored, keys, ...results] = await all(requests);
  const { meta, spare } = current(stored, keys);
  checkFence(meta, fence);
  const plan = new Plan(meta);
  takers.forEach((take, index) => take(plan, results[index]));
  return { plan, spare };
}

/** The second round. @param {IDBTransaction} tx @param {Plan} plan @param {Spare} spare */
function write(tx, plan, spare) {
  const { meta } = plan;
  const items = tx.objectStore('items');
  // What frees an id goes first.
  for (const seq of plan.deleted) items.delete(seq);
  for (const at of plan.failuresDeleted) tx.objectStore('failures').delete(at);
  for (const row of plan.replaced.values()) items.put(row);
  for (const row of plan.added.values()) items.add(row);
  for (const failure of plan.failuresAdded.values()) tx.objectStore('failures').add(failure);
  if (plan.isLogged) {
    const log = tx.objectStore('log');
    log.add(plan.log, meta.change);
    if (meta.change - LOG_KEPT >= meta.logSince + TRIM_EVERY) {
      meta.logSince = meta.change - LOG_KEPT;
      log.delete(IDBKeyRange.upperBound(meta.logSince));
    }
  }
  putMeta(tx, meta, spare);
}

/** The second round when nothing can be put. @param {IDBTransaction} tx @param {Plan} plan @param {Spare} spare */
function writeDeletesAlone(tx, plan, spare) {
  if (spare.changes === 0) throw quotaUsedUp();
  for (const seq of plan.deleted) tx.objectStore('items').delete(seq);
  for (const at of plan.failuresDeleted) tx.objectStore('failures').delete(at);
  tx.objectStore('spare').delete(spare.changes - 1);
}

/**
 * What a storage rejects with.
 *
 * - `full`: no room; nothing was written.
 * - `fenced`: the fence did not match; nothing was written.
 * - `unknown`: nobody can tell whether it was committed.
 * - `unavailable`: it was not done; nothing was written.
 *
 * @typedef {'full' | 'fenced' | 'unknown' | 'unavailable'} StorageFailureCode
 * @typedef {Error & { code: StorageFailureCode }} StorageFailure
 */

/**
 * @param {StorageFailureCode} code
 * @param {string} message for people: what, and what to do
 * @param {unknown} [cause]
 * @returns {StorageFailure}
 */
export function storageFailure(code, message, cause) {
  return Object.assign(new Error(message, { cause }), { name: 'StorageFailure', code });
}
