// @ts-check
/**
 * Spare records: what can still be said when the quota is used up. Every put is refused then, the smaller one in
 * place of a larger one too, but no transaction that only deletes; and a full disk must drain (R5). So there are
 * records whose one meaning is whether they are still there:
 *
 * - `meta`, keys 1, 2 …: each that is missing is one more change.
 * - `meta`, keys −1, −2 …: each that is missing is one more epoch.
 * - `marks`: pages, each about a range of `SPAN` seqs (the first is 0 … `SPAN` − 1, whatever their packs). Its first
 *   records are the bits of the range's number, from 1: a bit is set where the record is missing. Those that
 *   follow are the seqs: the row of one whose record is missing is gone. So a drain in order uses few pages.
 *
 * The next put that is not refused takes all of it into account, and puts them back.
 */

import { SPAN } from './packs.js';

/** The key of the one record in `meta` that is none of these. */
export const THE_ONE = 0;
/** So many transactions in a row can count as changes without a put. */
const CHANGES = 64;
/** So many takeovers in a row can raise the epoch without a put. */
const EPOCHS = 16;
/** In so many ranges of seqs rows can be gone from their packs without a put. */
const PAGES = 4;
/** Of later ranges nothing can be told, and their deletes wait for room. */
const KEY_BITS = 32;
const PAGE = KEY_BITS + SPAN;

/** The keys in `meta` of `THE_ONE` and of the spare records that are used first: three, if none is used. */
export const nearest = () => IDBKeyRange.bound(-1, 1);

/** @param {IDBObjectStore} meta @param {IDBObjectStore} marks */
export function createSpare(meta, marks) {
  for (let key = -EPOCHS; key <= CHANGES; key += 1) if (key !== THE_ONE) meta.add(0, key);
  for (let key = 0; key < PAGES * PAGE; key += 1) marks.add(0, key);
}

/** What was said by deletes, and how to say more. */
export class Spare {
  /** The rows that are gone though their packs hold them. @type {Set<number>} */
  gone = new Set();
  /** The pages in use, by the number of their range. @type {Map<number, number>} */
  #pages = new Map();
  /** @type {number[]} */
  #missing = [];

  /** @param {number[]} keys those in `meta` that are left */
  constructor(keys) {
    this.changes = CHANGES - keys.filter((key) => key > 0).length;
    this.epochs = EPOCHS - keys.filter((key) => key < 0).length;
  }

  /** @param {number[]} keys those in `marks` that are left */
  readMarks(keys) {
    const left = new Set(keys);
    for (let page = 0; page < PAGES; page += 1) {
      const missing = Array.from({ length: PAGE }, (_, index) => index).filter((index) => !left.has(page * PAGE + index));
      const range = missing.reduce((sum, index) => (index < KEY_BITS ? sum + 2 ** index : sum), 0);
      if (range === 0) continue;
      this.#pages.set(range, page);
      this.#missing.push(...missing.map((index) => page * PAGE + index));
      for (const index of missing) if (index >= KEY_BITS) this.gone.add((range - 1) * SPAN + index - KEY_BITS);
    }
  }

  /**
   * Says by a delete that a row is gone from its pack.
   * @param {IDBObjectStore} marks @param {number} seq
   * @returns {boolean} whether there was a page for it
   */
  mark(marks, seq) {
    const range = Math.floor(seq / SPAN) + 1;
    const page = this.#pages.get(range) ?? this.#newPage(marks, range);
    if (page === undefined) return false;
    marks.delete(page * PAGE + KEY_BITS + (seq % SPAN));
    return true;
  }

  /** @param {IDBObjectStore} marks @param {number} range @returns {number | undefined} */
  #newPage(marks, range) {
    const page = this.#pages.size; // they are used in order, and freed together
    if (page === PAGES || range >= 2 ** KEY_BITS) return undefined;
    this.#pages.set(range, page);
    for (let bit = 0; bit < KEY_BITS; bit += 1) if (Math.floor(range / 2 ** bit) % 2 === 1) marks.delete(page * PAGE + bit);
    return page;
  }

  /** Counts a change by a delete. @param {IDBObjectStore} meta @returns {boolean} whether there was one left */
  countChange(meta) {
    if (this.changes === CHANGES) return false;
    meta.delete(this.changes + 1);
    return true;
  }

  /** Raises the epoch by a delete. @param {IDBObjectStore} meta @returns {boolean} whether there was one left */
  raiseEpoch(meta) {
    if (this.epochs === EPOCHS) return false;
    meta.delete(-this.epochs - 1);
    return true;
  }

  /** Puts back what is missing, in the transaction that puts what it said. @param {IDBTransaction} tx */
  restore(tx) {
    const meta = tx.objectStore('meta');
    for (let key = -this.epochs; key <= this.changes; key += 1) if (key !== THE_ONE) meta.put(0, key);
    for (const key of this.#missing) tx.objectStore('marks').put(0, key);
  }
}
