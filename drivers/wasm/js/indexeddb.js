// @ts-check
/**
 * The storage in IndexedDB: one database per outbox name, one transaction per request, acknowledged when the
 * transaction is complete.
 *
 * | object store | holds |
 * |---|---|
 * | `items` | packs of rows (`packs.js`) by the seq of their first (`at`), found by the ids in them too |
 * | `failures` | failure records by age (`at`), found by `id` too |
 * | `log` | what changed, by change counter; at most `LOG_KEPT` transactions |
 * | `meta` | one record: store id, epoch, change counter, `through`, pause reasons; and spare records |
 * | `marks` | more spare records: to be deleted when the quota is used up (`spare.js`) |
 *
 * Seqs are counted in `meta`, in the transaction that uses them, and not by the key generator: so an aborted
 * transaction leaves no hole in any browser, and `through` outlives its row.
 */
import { quotaUsedUp, storageFailure } from './failure.js';
import { KEPT_MAX_PACKS, Kept } from './packs.js';
import { beforeFreeze, frozen } from './page.js';
import { Plan } from './plan.js';
import { checkGuess, load, loadAll, read, readMeta, write, writeDeletesAlone, WRONG } from './rounds.js';
import { THE_ONE, createSpare } from './spare.js';

/**
 * @typedef {import('./types.d.ts').Fence} Fence
 * @typedef {import('./types.d.ts').Scope} Scope
 * @typedef {import('./types.d.ts').Write} Write
 * @typedef {import('./types.d.ts').Committed} Committed
 * @typedef {import('./types.d.ts').Snapshot} Snapshot
 * @typedef {import('./types.d.ts').OutboxStorage} OutboxStorage
 * @typedef {import('./plan.js').Meta} Meta
 * @typedef {import('./packs.js').Pack} Pack
 * @typedef {import('./spare.js').Spare} Spare
 * @typedef {Pick<Snapshot, 'full' | 'rows' | 'failures' | 'gone'>} Part
 */

const VERSION = 1;
const STORES = ['items', 'failures', 'log', 'meta', 'marks'];

/** With these a transaction is rolled back for certain, whenever they come. */
const ROLLED_BACK = new Set(['ConstraintError', 'DataError', 'DataCloneError']);

/** Writes that leave no trace in the log, and need nothing else from it. */
const UNLOGGED = new Set(['insert', 'pause', 'resume']);
/** Writes whose outcome can be guessed, if the packs are kept of what they are about. */
const GUESSED = new Set(['insert', 'put', 'delete']);
const OF_FAILURES = new Set(['bury', 'retryFailure', 'dismissFailure']);
/** The page is frozen, and what was not yet being committed is rolled back. */
const FROZEN = { code: 'frozen' };

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
  /** Mostly nobody else has written since. @type {Kept | undefined} */
  #kept;
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
    return unlessFull(
      () => this.#acquire((tx, { stored }) => tx.objectStore('meta').put({ ...stored, epoch: stored.epoch + 1 }, THE_ONE)),
      () =>
        this.#acquire((tx, { spare }) => {
          if (!spare.raiseEpoch(tx.objectStore('meta'))) throw quotaUsedUp();
        }),
    );
  }

  /** @param {(tx: IDBTransaction, read: { stored: Meta, spare: Spare }) => void} raise @returns {Promise<Snapshot>} */
  #acquire(raise) {
    return this.#reading('readwrite', async (tx, commit) => {
      const { stored, meta, spare } = await readMeta(tx, undefined);
      meta.epoch += 1;
      const { packs, ...part } = await loadAll(tx, spare.gone);
      raise(tx, { stored, spare });
      commit();
      return { meta, packs, part };
    });
  }

  /** @param {Fence | undefined} fence @param {Scope} scope @returns {Promise<Snapshot>} */
  load(fence, scope) {
    return this.#reading('readonly', async (tx) => {
      const { meta, spare } = await readMeta(tx, fence);
      const { packs, ...part } = await load(tx, meta, spare.gone, scope);
      return { meta, packs, part };
    });
  }

  /**
   * A transaction that reads; the first packs of a full one are kept.
   * @param {IDBTransactionMode} mode
   * @param {(tx: IDBTransaction, commit: () => void) => Promise<{ meta: Meta, packs?: Pack[] | undefined, part: Part }>} work
   * @returns {Promise<Snapshot>}
   */
  async #reading(mode, work) {
    const { meta, packs, part } = await this.#transact(mode, STORES, work);
    if (packs) this.#kept = new Kept(meta, packs.slice(0, KEPT_MAX_PACKS).reverse()); // the first are sent first
    const { store, epoch, change, through, paused } = meta;
    return { store, epoch, change, through, paused, ...part };
  }

  /** @param {Fence | undefined} fence @param {readonly Write[]} writes @returns {Promise<Committed>} */
  persist(fence, writes) {
    const attempt = () => this.#persist(fence, writes);
    if (!writes.every(({ op }) => DELETES.has(op))) return attempt();
    return unlessFull(attempt, () => this.#inRounds(undefined, fence, writes, writeDeletesAlone));
  }

  /** @param {Fence | undefined} fence @param {readonly Write[]} writes @returns {Promise<Committed>} */
  async #persist(fence, writes) {
    const kept = this.#kept;
    this.#kept = undefined; // until it is known what becomes of it
    const committed = kept && (await this.#inOneRound(kept, fence, writes));
    return committed ?? this.#inRounds(kept, fence, writes, write);
  }

  /**
   * Reads and writes at once, on the guess that nobody else has written since: what is read then tells whether it
   * may be committed. `undefined`: it cannot be guessed, or the guess was wrong, and all of it is rolled back.
   *
   * @param {Kept} kept @param {Fence | undefined} fence @param {readonly Write[]} writes
   * @returns {Promise<Committed | undefined>}
   */
  async #inOneRound(kept, fence, writes) {
    if (!writes.every(({ op }) => GUESSED.has(op))) return undefined;
    const known = kept.find(writes.flatMap((write) => ('seq' in write ? [write.seq] : [])));
    if (known === undefined) return undefined;
    const work = async (/** @type {IDBTransaction} */ tx, /** @type {() => void} */ commit) => {
      const found = checkGuess(tx, fence, kept);
      const plan = new Plan({ ...kept.meta });
      for (const pack of known) plan.take(pack);
      const results = plan.carryOut(writes);
      const packs = write(tx, plan);
      await found;
      commit();
      return { results, meta: plan.meta, packs };
    };
    try {
      const { results, meta, packs } = await this.#transact('readwrite', storesOf(writes), work);
      kept.follow(meta, packs);
      this.#kept = kept;
      return { results, change: meta.change };
    } catch (/** @type {any} */ error) {
      // An id that is there already cannot be added.
      if (error === WRONG || error.cause?.name === 'ConstraintError') return undefined;
      throw error;
    }
  }

  /**
   * Reads first, and writes what follows from it.
   * @param {Kept | undefined} before what was kept until now: if nobody else has written, it is kept on
   * @param {Fence | undefined} fence @param {readonly Write[]} writes
   * @param {typeof writeDeletesAlone} write
   * @returns {Promise<Committed>}
   */
  async #inRounds(before, fence, writes, write) {
    const stores = [...storesOf(writes), 'marks'];
    const done = await this.#transact('readwrite', stores, async (tx, commit) => {
      const { plan, spare, packs: known } = await read(tx, fence, writes);
      const isSeen = before?.isAt(plan.meta);
      const results = plan.carryOut(writes);
      const packs = write(tx, plan, spare);
      commit();
      return { results, meta: plan.meta, known, packs, kept: isSeen ? before : undefined };
    });
    const { results, meta, known, packs, kept = new Kept(meta, []) } = done;
    kept.learn(known);
    kept.follow(meta, packs);
    this.#kept = kept;
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
    if (this.#db !== db) return;
    this.#db = undefined;
    this.#kept = undefined; // the database that is found next may be another
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
  db.createObjectStore('items', { keyPath: 'at' }).createIndex('ids', 'ids', { unique: true, multiEntry: true });
  db.createObjectStore('failures', { keyPath: 'at' }).createIndex('id', 'id', { unique: true });
  db.createObjectStore('log');
  const random = crypto.getRandomValues(new Uint8Array(16));
  const store = Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
  /** @type {Meta} */
  const first = { store, epoch: 0, change: 0, through: 0, failed: 0, logSince: 0, paused: [] };
  const meta = db.createObjectStore('meta');
  meta.add(first, THE_ONE);
  createSpare(meta, db.createObjectStore('marks'));
}

/** The object stores that these writes touch: a transaction over fewer of them is faster.
 * @param {readonly Write[]} writes */
function storesOf(writes) {
  const stores = ['items', 'meta'];
  if (writes.some(({ op }) => !UNLOGGED.has(op))) stores.push('log');
  if (writes.some(({ op }) => OF_FAILURES.has(op))) stores.push('failures');
  return stores;
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
