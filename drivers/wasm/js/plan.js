// @ts-check
/**
 * What the writes of one transaction come to: a pure function of what was read.
 *
 * A transaction has two rounds: everything that decides is read at once, and everything that follows is
 * written at once. In between, the writes are carried out here, in their order, on what was read; last, the
 * packs follow the rows.
 */
import { packed, rowsOf } from './packs.js';

/**
 * @typedef {import('./packs.js').Row} Row
 * @typedef {import('./packs.js').Pack} Pack
 * @typedef {{ at: number, id: string, record: string }} Failure
 * @typedef {{ put: number[], gone: [seq: number, outcome?: string][], failures: boolean }} Change
 *   One transaction in the change log. Inserts are not in it: their seq tells.
 * @typedef {object} Meta The four numbers, and what else is stored once.
 * @property {string} store 32 hex digits
 * @property {number} epoch
 * @property {number} change the change counter
 * @property {number} through the highest seq ever allocated
 * @property {number} failed the place of the newest failure record ever kept
 * @property {number} logSince the log is complete for what changed after this change counter
 * @property {string[]} paused
 * @typedef {import('./types.d.ts').Write} Write
 * @typedef {import('./types.d.ts').WriteResult} WriteResult
 */

/** A longer outcome is not kept in the log: the replicas that were there have been told it. */
const OUTCOME_MAX_CHARS = 1024;
const REMOVED = '"removed"';

export class Plan {
  /** Seqs of items by id, as far as they are known. @type {Map<string, number | undefined>} */
  #seqs = new Map();
  /** Rows by seq, as far as they are known; `undefined`: none. @type {Map<number, Row | undefined>} */
  #rows = new Map();
  /** The packs that were read. @type {Pack[]} */
  #packs = [];
  /** Ids in packs of which it is not known what their rows are. @type {Set<string>} */
  taken = new Set();
  /** Places of failure records by id. @type {Map<string, number | undefined>} */
  places = new Map();

  /** @type {Map<number, Row>} */
  #added = new Map();
  /** @type {Set<number>} */
  #replaced = new Set();
  /** @type {Set<number>} */
  failuresDeleted = new Set();
  /** @type {Map<number, Failure>} */
  failuresAdded = new Map();
  /** @type {Change} */
  log = { put: [], gone: [], failures: false };

  /** @param {Meta} meta as read; it is changed here, and written at the end */
  constructor(meta) {
    this.meta = meta;
    this.paused = new Set(meta.paused);
  }

  /** A pack was read. @param {Pack} pack @param {Set<number>} [gone] rows that are not there any more */
  take(pack, gone) {
    if (pack.isDamaged) return;
    this.#packs.push(pack);
    for (const row of rowsOf(pack)) {
      if (gone?.has(row.seq)) continue;
      this.#rows.set(row.seq, row);
      this.#seqs.set(row.id, row.seq);
    }
  }

  /**
   * Carries out all writes.
   * @param {readonly Write[]} writes
   * @returns {WriteResult[]}
   */
  carryOut(writes) {
    const results = writes.map((write) => this.#write(write));
    this.meta.change += 1;
    this.meta.paused = [...this.paused];
    return results;
  }

  /**
   * What becomes of the packs: the keys of those that are to go, those that are to be written again, new ones; and
   * the seqs of the rows that those have lost which are written again.
   */
  packs() {
    /** @type {{ emptied: number[], changed: Pack[], added: Pack[], lost: number[] }} */
    const packs = { emptied: [], changed: [], added: packed(this.#added.values()), lost: [] };
    for (const pack of this.#packs) {
      const lost = pack.seqs.filter((seq) => this.#rows.get(seq) === undefined);
      if (lost.length === pack.seqs.length) {
        packs.emptied.push(pack.at);
        continue;
      }
      if (lost.length > 0 || pack.seqs.some((seq) => this.#replaced.has(seq))) packs.changed.push(this.#rewritten(pack));
      packs.lost.push(...lost);
    }
    return packs;
  }

  /** What was not replaced stays what it is, byte for byte. @param {Pack} pack @returns {Pack} */
  #rewritten({ at, seqs, ids, records }) {
    const left = [...seqs.keys()].filter((index) => this.#rows.get(Number(seqs[index])));
    const recordOf = (/** @type {number} */ index) => {
      const seq = Number(seqs[index]);
      return this.#replaced.has(seq) ? this.#rows.get(seq)?.record : records[index];
    };
    return { at, seqs: left.map((index) => Number(seqs[index])), ids: left.map((index) => ids[index]), records: left.map(recordOf) };
  }

  /** Whether the log has something to tell of this transaction. */
  get isLogged() {
    return this.log.put.length > 0 || this.log.gone.length > 0 || this.log.failures;
  }

  /** @param {Write} write @returns {WriteResult} */
  #write(write) {
    switch (write.op) {
      case 'delete':
        return this.#delete(write.seq, write.outcome);
      case 'bury': {
        const result = this.#delete(write.seq);
        if (result === 'done') this.#addFailure(write.id, write.failure);
        return result;
      }
      case 'remove': {
        const seq = this.#seqs.get(write.id);
        return seq === undefined ? 'missing' : this.#delete(seq, REMOVED);
      }
      case 'put':
        return this.#put(write.seq, write.record);
      case 'insert':
        return this.#insert(write.id, write.record);
      case 'retryFailure': {
        if (this.places.get(write.failure) === undefined) return 'missing';
        const result = this.#insert(write.id, write.record);
        if (result !== 'duplicate') this.#deleteFailure(write.failure);
        return result;
      }
      case 'dismissFailure':
        return this.#deleteFailure(write.id);
      case 'pause':
        this.paused.add(write.reason);
        return 'done';
      case 'resume':
        return this.paused.delete(write.reason) ? 'done' : 'missing';
      default:
        throw new TypeError(`unknown write: ${JSON.stringify(write)}`);
    }
  }

  /** @param {string} id @param {string} record @returns {WriteResult} */
  #insert(id, record) {
    if (this.#seqs.get(id) !== undefined || this.taken.has(id)) return 'duplicate';
    const seq = (this.meta.through += 1);
    const row = { seq, id, record };
    this.#seqs.set(id, seq);
    this.#rows.set(seq, row);
    this.#added.set(seq, row);
    return seq;
  }

  /** @param {number} seq @param {string} record @returns {WriteResult} */
  #put(seq, record) {
    const before = this.#rows.get(seq);
    if (before === undefined) return 'missing';
    const row = { ...before, record };
    this.#rows.set(seq, row);
    if (this.#added.has(seq)) this.#added.set(seq, row);
    else this.#replaced.add(seq);
    this.log.put.push(seq);
    return 'done';
  }

  /** @param {number} seq @param {string} [outcome] @returns {WriteResult} */
  #delete(seq, outcome) {
    const row = this.#rows.get(seq);
    if (row === undefined) return 'missing';
    this.#seqs.set(row.id, undefined);
    this.#rows.set(seq, undefined);
    this.#added.delete(seq);
    const isShort = outcome !== undefined && outcome.length <= OUTCOME_MAX_CHARS;
    this.log.gone.push(isShort ? [seq, outcome] : [seq]);
    return 'done';
  }

  /** It replaces one of its id, and is then the newest. @param {string} id @param {string} record */
  #addFailure(id, record) {
    this.#deleteFailure(id);
    const at = (this.meta.failed += 1);
    this.places.set(id, at);
    this.failuresAdded.set(at, { at, id, record });
    this.log.failures = true;
  }

  /** @param {string} id @returns {WriteResult} */
  #deleteFailure(id) {
    const at = this.places.get(id);
    if (at === undefined) return 'missing';
    this.places.set(id, undefined);
    if (!this.failuresAdded.delete(at)) this.failuresDeleted.add(at);
    this.log.failures = true;
    return 'done';
  }
}
