// @ts-check
/** What is asked of a transaction: what it reads, in a round or two, and what is written in the last. */
import { quotaUsedUp, storageFailure } from './failure.js';
import { SPAN, partsOf, placeOf, readPack, rowsOf, spansOf } from './packs.js';
import { Plan } from './plan.js';
import { THE_ONE, Spare, nearest } from './spare.js';

/**
 * @typedef {import('./types.d.ts').Fence} Fence
 * @typedef {import('./types.d.ts').Scope} Scope
 * @typedef {import('./types.d.ts').Write} Write
 * @typedef {import('./plan.js').Meta} Meta
 * @typedef {import('./plan.js').Failure} Failure
 * @typedef {import('./plan.js').Change} Change
 * @typedef {import('./packs.js').Pack} Pack
 * @typedef {Set<number>} Gone rows that are not there any more though a pack holds them (`spare.js`)
 */

/** The log's transactions: an older `since` is answered with everything. */
const LOG_KEPT = 1024;
const TRIM_EVERY = 64;
/** A guess was wrong. */
export const WRONG = { code: 'wrong' };

/** The result of a request. @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
const one = (request) => new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));

/** The results of requests; they are answered in order, so only the last is waited for.
 * @param {IDBRequest[]} requests @returns {Promise<any[]>} */
function all(requests) {
  const last = requests[requests.length - 1];
  if (last === undefined) return Promise.resolve([]);
  // One that fails aborts the transaction, and that is told.
  return new Promise((resolve) => (last.onsuccess = () => resolve(requests.map((request) => request.result))));
}

/** @param {IDBTransaction} tx */
const askForMeta = (tx) => [tx.objectStore('meta').get(THE_ONE), tx.objectStore('meta').getAllKeys()];

/** @param {IDBTransaction} tx @param {Fence | undefined} fence */
export async function readMeta(tx, fence) {
  const [stored, keys] = await all(askForMeta(tx));
  return current(tx, fence, stored, keys);
}

/**
 * What is stored, and what was changed by deletes alone since; the log knows nothing of that.
 * @param {IDBTransaction} tx @param {Fence | undefined} fence @param {Meta} stored @param {number[]} keys
 * @returns {Promise<{ stored: Meta, meta: Meta, spare: Spare }>}
 */
async function current(tx, fence, stored, keys) {
  const spare = new Spare(keys);
  const meta = { ...stored, epoch: stored.epoch + spare.epochs, change: stored.change + spare.changes };
  checkFence(meta, fence);
  if (spare.changes > 0) {
    meta.logSince = meta.change;
    spare.readMarks(/** @type {number[]} */ (await one(tx.objectStore('marks').getAllKeys())));
  }
  return { stored, meta, spare };
}

/** @param {Meta} meta @param {Fence | undefined} fence */
function checkFence(meta, fence) {
  if (fence && (fence.store !== meta.store || fence.epoch !== meta.epoch)) {
    throw storageFailure('fenced', 'another replica leads this outbox; nothing was written');
  }
}

/** @param {IDBTransaction} tx @param {Meta} meta @param {Gone} gone @param {Scope} scope */
export function load(tx, meta, gone, scope) {
  if (scope.kind === 'items') return loadItems(tx, gone, scope.seqs);
  const isLogged = scope.kind === 'since' && scope.change >= meta.logSince && scope.change <= meta.change;
  return isLogged ? loadSince(tx, meta, gone, scope) : loadAll(tx, gone);
}

/** @param {IDBTransaction} tx @param {Gone} gone */
export async function loadAll(tx, gone) {
  const asked = one(/** @type {IDBRequest<Failure[]>} */ (tx.objectStore('failures').getAll()));
  const packs = await packsAfter(tx, 0);
  return { full: true, rows: rowsIn(packs, gone), failures: await asked, packs };
}

/** @param {IDBTransaction} tx @param {Gone} gone @param {number[]} asked */
async function loadItems(tx, gone, asked) {
  const seqs = new Set(asked);
  const rows = rowsIn(await packsOf(tx, seqs), gone).filter(({ seq }) => seqs.delete(seq));
  /** @type {Map<number, string | undefined>} */
  const outcomes = new Map();
  if (seqs.size > 0) {
    const log = await one(/** @type {IDBRequest<Change[]>} */ (tx.objectStore('log').getAll()));
    for (const change of log) for (const [seq, outcome] of change.gone) outcomes.set(seq, outcome);
  }
  const missing = [...seqs].sort((a, b) => a - b).map((seq) => ({ seq, outcome: outcomes.get(seq) }));
  return { full: false, rows, gone: missing, packs: undefined };
}

/** @param {IDBTransaction} tx @param {Meta} meta @param {Gone} gone @param {{ change: number, through: number }} since */
async function loadSince(tx, meta, gone, { change, through }) {
  const none = { full: false, rows: [], gone: [], packs: undefined };
  if (change === meta.change && through === meta.through) return none;
  const changes = await one(/** @type {IDBRequest<Change[]>} */ (tx.objectStore('log').getAll(IDBKeyRange.lowerBound(change, true))));
  /** @type {Map<number, string | undefined>} */
  const ends = new Map();
  for (const changed of changes) for (const [seq, outcome] of changed.gone) ends.set(seq, outcome);
  const put = new Set(changes.flatMap((changed) => changed.put).filter((seq) => seq <= through && !ends.has(seq)));
  const older = rowsIn(await packsOf(tx, put), gone).filter(({ seq }) => put.has(seq));
  const newer = through === meta.through ? [] : rowsIn(await packsAfter(tx, through), gone).filter(({ seq }) => seq > through);
  const hasFailures = changes.some((changed) => changed.failures);
  const failures = hasFailures ? await one(/** @type {IDBRequest<Failure[]>} */ (tx.objectStore('failures').getAll())) : undefined;
  const missing = [...ends].sort(([a], [b]) => a - b).map(([seq, outcome]) => ({ seq, outcome }));
  return { ...none, rows: [...older, ...newer], gone: missing, failures };
}

/** @param {Pack[]} packs @param {Gone} gone */
const rowsIn = (packs, gone) => packs.flatMap(rowsOf).filter(({ seq }) => !gone.has(seq));

/** The packs that may hold later seqs than this one, each part of them in a task of its own.
 * @param {IDBTransaction} tx @param {number} seq @returns {Promise<Pack[]>} in seq order */
async function packsAfter(tx, seq) {
  const items = tx.objectStore('items');
  const keys = /** @type {number[]} */ (await one(items.getAllKeys(IDBKeyRange.bound(seq - SPAN + 1, Infinity))));
  const parts = partsOf(keys).map(([from, to]) => one(items.getAll(IDBKeyRange.bound(from, to))).then((part) => part.map(readPack)));
  return (await Promise.all(parts)).flat();
}

/** The packs of these seqs, as far as there are any. @param {IDBTransaction} tx @param {Iterable<number>} seqs
 * @returns {Promise<Pack[]>} in seq order */
async function packsOf(tx, seqs) {
  return readPacks(tx, placesOf(seqs, await all(askForKeys(tx, seqs))));
}

/** @param {IDBTransaction} tx @param {Iterable<number>} seqs @returns {IDBRequest[]} */
const askForKeys = (tx, seqs) =>
  spansOf(seqs).map(([first, last]) => tx.objectStore('items').getAllKeys(IDBKeyRange.bound(first, last)));

/** @param {Iterable<number>} seqs @param {number[][]} keys @returns {Set<number>} */
function placesOf(seqs, keys) {
  const there = new Set(keys.flat());
  const places = [...seqs].map((seq) => placeOf(seq, (at) => there.has(at)));
  return new Set(places.filter((at) => at !== undefined));
}

/** @param {IDBTransaction} tx @param {Iterable<number>} places @returns {Promise<Pack[]>} */
async function readPacks(tx, places) {
  const rising = [...new Set(places)].sort((a, b) => a - b);
  const packs = await all(rising.map((at) => tx.objectStore('items').get(at)));
  return packs.filter((pack) => pack !== undefined).map(readPack);
}

/**
 * Rejects unless all is as it was guessed to be. That an id is new need not be read: else it cannot be added.
 * @param {IDBTransaction} tx @param {Fence | undefined} fence @param {import('./packs.js').Kept} kept
 */
export async function checkGuess(tx, fence, kept) {
  const found = await one(tx.objectStore('meta').getAll(nearest()));
  if (found.length !== 3) throw WRONG;
  const meta = /** @type {Meta} */ (found[1]);
  checkFence(meta, fence);
  if (!kept.isAt(meta)) throw WRONG;
}

/**
 * Everything that decides what the writes do: where it is, then what it is.
 * @param {IDBTransaction} tx @param {Fence | undefined} fence @param {readonly Write[]} writes
 */
export async function read(tx, fence, writes) {
  const seqs = writes.flatMap((write) => ('seq' in write ? [write.seq] : []));
  const ids = writes.flatMap((write) => (OF_IDS.has(write.op) ? [/** @type {{ id: string }} */ (write).id] : []));
  const failures = writes.flatMap((write) => failuresOf(write));
  const requests = [
    ...ids.map((id) => tx.objectStore('items').index('ids').getKey(id)),
    ...failures.map((id) => tx.objectStore('failures').index('id').getKey(id)),
    ...askForKeys(tx, seqs),
    ...askForMeta(tx),
  ];
  const results = await all(requests);
  const holders = results.splice(0, ids.length);
  const found = results.splice(0, failures.length);
  const [stored, keys] = results.splice(-2);
  const { meta, spare } = await current(tx, fence, stored, keys);
  // Of the rows that were said to be gone by deletes, the packs lose what they still hold.
  const told = placesOf(spare.gone, await all(askForKeys(tx, spare.gone)));
  const packs = await readPacks(tx, [...holders, ...placesOf(seqs, results), ...told].filter((at) => at !== undefined));
  const plan = new Plan(meta);
  failures.forEach((id, index) => plan.places.set(id, found[index]));
  for (const pack of packs) plan.take(pack, spare.gone);
  const damaged = new Set(packs.filter(({ isDamaged }) => isDamaged).map(({ at }) => at));
  ids.forEach((id, index) => damaged.has(holders[index]) && plan.taken.add(id));
  return { plan, spare, packs };
}

const OF_IDS = new Set(['insert', 'remove', 'retryFailure']);

/** The failure records that a write is about, by id. @param {Write} write */
function failuresOf(write) {
  if (write.op === 'retryFailure') return [write.failure];
  return write.op === 'bury' || write.op === 'dismissFailure' ? [write.id] : [];
}

/** The last round; what becomes of the packs. @param {IDBTransaction} tx @param {Plan} plan @param {Spare} [spare] */
export function write(tx, plan, spare) {
  const { meta } = plan;
  const packs = plan.packs();
  const items = tx.objectStore('items');
  // What frees an id goes first.
  for (const at of packs.emptied) items.delete(at);
  for (const pack of packs.changed) items.put(pack);
  for (const pack of packs.added) items.add(pack);
  for (const at of plan.failuresDeleted) tx.objectStore('failures').delete(at);
  for (const failure of plan.failuresAdded.values()) tx.objectStore('failures').add(failure);
  if (plan.isLogged) {
    const log = tx.objectStore('log');
    log.add(plan.log, meta.change);
    if (meta.change - LOG_KEPT >= meta.logSince + TRIM_EVERY) {
      meta.logSince = meta.change - LOG_KEPT;
      log.delete(IDBKeyRange.upperBound(meta.logSince));
    }
  }
  tx.objectStore('meta').put(meta, THE_ONE);
  spare?.restore(tx);
  return packs;
}

/** The last round when nothing can be put. @param {IDBTransaction} tx @param {Plan} plan @param {Spare} spare */
export function writeDeletesAlone(tx, plan, spare) {
  if (!spare.countChange(tx.objectStore('meta'))) throw quotaUsedUp();
  const packs = plan.packs();
  for (const at of packs.emptied) tx.objectStore('items').delete(at);
  for (const seq of packs.lost) if (!spare.mark(tx.objectStore('marks'), seq)) throw quotaUsedUp();
  for (const at of plan.failuresDeleted) tx.objectStore('failures').delete(at);
  return packs;
}
