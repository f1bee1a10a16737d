// @ts-check
/**
 * Packs: rows that were inserted by one transaction share one value of the database, because a value costs far
 * more than its bytes. All of this is pure.
 *
 * The rows of a pack are less than `SPAN` seqs apart, and its key is the seq of the first that it ever held. It
 * only loses rows (their texts may grow): so no two packs overlap, and the pack of a seq is the one of the greatest
 * key up to it.
 */

/**
 * @typedef {{ seq: number, id: string, record: string }} Row
 * @typedef {{ at: number, seqs: number[], ids: unknown[], records: unknown[], isDamaged?: true }} Pack Its rows, by
 *   column: texts, unless a row is damaged. Never changed once it is made: what was read, what is kept and what is
 *   written are often the same. `isDamaged`: it is not known what its rows are; it is never written or deleted.
 * @typedef {import('./plan.js').Meta} Meta
 */

/** More rows, or longer ones, are not put into one pack: it is written again when one of them changes. */
export const SPAN = 64;
const PACK_MAX_CHARS = 32 * 1024;
/** What a connection keeps of what it has touched. */
export const KEPT_MAX_PACKS = 64;
const KEPT_MAX_CHARS = 1024 * 1024;
/** A task that reads more rows than that holds up the page. */
const PART_MAX_ROWS = 1024;

/** @param {number} at @param {Row[]} rows @returns {Pack} */
export const packOf = (at, rows) => ({
  at,
  seqs: rows.map(({ seq }) => seq),
  ids: rows.map(({ id }) => id),
  records: rows.map(({ record }) => record),
});

/** New rows as packs. A record that is too long for one stands alone. @param {Iterable<Row>} rows in seq order */
export function packed(rows) {
  /** @type {Row[][]} */
  const packs = [];
  let chars = Infinity;
  for (const row of rows) {
    const last = packs.at(-1);
    chars += row.record.length;
    if (last?.[0] && row.seq < last[0].seq + SPAN && chars <= PACK_MAX_CHARS) {
      last.push(row);
    } else {
      packs.push([row]);
      chars = row.record.length;
    }
  }
  return packs.map((rows) => packOf(/** @type {Row} */ (rows[0]).seq, rows));
}

/** A record that is no text is given as one: so it is surfaced, and harms no other (R24). @param {Pack} pack @returns {Row[]} */
export const rowsOf = ({ seqs, ids, records }) =>
  seqs.map((seq, index) => ({ seq, id: /** @type {string} */ (ids[index]), record: asText(records[index]) }));

/**
 * What the database holds, as a pack. One of which it is not even known what its rows are is a single row, whose
 * record is all of it as text (R24).
 * @param {any} value @returns {Pack}
 */
export function readPack(value) {
  const { at, seqs, ids, records } = value;
  const isList = Array.isArray(seqs) && Array.isArray(ids) && Array.isArray(records);
  const isKnown =
    isList &&
    seqs.length > 0 &&
    seqs.length === ids.length &&
    seqs.length === records.length &&
    seqs.every((seq, index) => Number.isSafeInteger(seq) && seq >= at && seq < at + SPAN && !(seq <= seqs[index - 1]));
  return isKnown ? value : { at, seqs: [at], ids: [], records: [value], isDamaged: true };
}

/** @param {unknown} value @returns {string} */
function asText(value) {
  if (typeof value === 'string') return value;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

/** @param {number} seq @param {(at: number) => boolean} isThere @returns {number | undefined} the key of its pack */
export function placeOf(seq, isThere) {
  for (let at = seq; at > seq - SPAN; at -= 1) if (isThere(at)) return at;
  return undefined;
}

/**
 * Where the packs of these seqs have their keys: few ranges, none with more than a pack's keys before a seq.
 * @param {Iterable<number>} seqs @returns {[first: number, last: number][]}
 */
export function spansOf(seqs) {
  /** @type {[number, number][]} */
  const spans = [];
  for (const seq of [...seqs].sort((a, b) => a - b)) {
    const last = spans.at(-1);
    if (last && seq - SPAN < last[1]) last[1] = seq;
    else spans.push([seq - SPAN + 1, seq]);
  }
  return spans;
}

/**
 * Ranges of packs to be read one by one, each of at most so many rows as one task may read.
 * @param {number[]} keys of all packs, rising @returns {[first: number, last: number][]}
 */
export function partsOf(keys) {
  /** @type {[number, number][]} */
  const parts = [];
  let rows = Infinity;
  keys.forEach((at, index) => {
    const next = keys[index + 1] ?? Infinity;
    const most = Math.min(SPAN, next - at);
    const last = parts.at(-1);
    rows += most;
    if (last && rows <= PART_MAX_ROWS) {
      last[1] = at;
    } else {
      parts.push([at, at]);
      rows = most;
    }
  });
  return parts;
}

/**
 * The packs that a connection touched last, as it left them. They are so still, if `meta` is.
 */
export class Kept {
  /** The one touched last comes last. @type {Map<number, Pack>} */
  #packs = new Map();
  #chars = 0;

  /** @param {Meta} meta as this connection left it @param {Iterable<Pack>} packs */
  constructor(meta, packs) {
    this.meta = meta;
    this.learn(packs);
  }

  /** Whether nobody else has written since. @param {Meta} meta as read */
  isAt({ store, epoch, change }) {
    return store === this.meta.store && epoch === this.meta.epoch && change === this.meta.change;
  }

  /** Packs were read. @param {Iterable<Pack>} packs */
  learn(packs) {
    for (const pack of packs) this.#keep(pack);
  }

  /** The packs of all of these seqs, if they are kept. @param {Iterable<number>} seqs @returns {Set<Pack> | undefined} */
  find(seqs) {
    /** @type {Set<Pack>} */
    const packs = new Set();
    for (const seq of seqs) {
      const pack = this.#packs.get(placeOf(seq, (at) => this.#packs.has(at)) ?? NaN);
      if (!pack?.seqs.includes(seq)) return undefined; // it may be in one that is not kept
      packs.add(pack);
    }
    return packs;
  }

  /** After a transaction of this connection. @param {Meta} meta @param {{ emptied: number[], changed: Pack[], added: Pack[] }} packs */
  follow(meta, { emptied, changed, added }) {
    this.meta = meta;
    for (const at of emptied) this.#drop(at);
    this.learn([...changed, ...added]);
  }

  /** @param {Pack} pack */
  #keep(pack) {
    this.#drop(pack.at);
    this.#packs.set(pack.at, pack);
    this.#chars += charsOf(pack);
    for (const at of this.#packs.keys()) {
      if (this.#packs.size <= KEPT_MAX_PACKS && this.#chars <= KEPT_MAX_CHARS) break;
      this.#drop(at);
    }
  }

  /** @param {number} at */
  #drop(at) {
    const pack = this.#packs.get(at);
    if (pack === undefined) return;
    this.#packs.delete(at);
    this.#chars -= charsOf(pack);
  }
}

/** @param {Pack} pack */
const charsOf = (pack) => rowsOf(pack).reduce((sum, { record }) => sum + record.length, 0);
