// @ts-check
/**
 * Leadership by Web Locks: whoever holds the lock `outbox:NAME` leads, the others wait in its queue.
 *
 * Each replica also holds a lock of its own, so that `locks.query()` tells which replica the holder is.
 */

/**
 * @typedef {import('./types.d.ts').LeaderElection} LeaderElection
 * @typedef {import('./types.d.ts').LeaderCallbacks} LeaderCallbacks
 */

/** Whether this context has Web Locks. */
export const hasWebLocks = () => typeof globalThis.navigator?.locks?.request === 'function';

/** @implements {LeaderElection} */
export class WebLocksElection {
  #lock = '';
  #replica = '';
  /** @type {LeaderCallbacks | undefined} */
  #on;
  /** Ends the claim that is queued or held. @type {(() => void) | undefined} */
  #giveUp;
  /** @type {(() => void) | undefined} */
  #releaseReplica;

  /** @param {string} name @param {string} replica @param {LeaderCallbacks} on */
  start(name, replica, on) {
    this.#lock = `outbox:${name}`;
    this.#replica = replica;
    this.#on = on;
    const held = new Promise((/** @type {(value?: undefined) => void} */ resolve) => (this.#releaseReplica = resolve));
    navigator.locks.request(`${this.#lock}:replica:${replica}`, () => held).catch(() => undefined);
    this.#queue();
    void this.#tellHolder();
  }

  resign() {
    if (!this.#on) return;
    this.#giveUp?.();
    this.#queue();
  }

  /** @param {string} holder */
  async steal(holder) {
    const found = await this.#holder();
    if (!this.#on) return;
    if (found !== holder) {
      this.#on.holder(found);
      return;
    }
    this.#giveUp?.();
    this.#queue({ steal: true });
  }

  stop() {
    this.#on = undefined;
    this.#giveUp?.();
    this.#releaseReplica?.();
  }

  /** @param {LockOptions} [options] */
  #queue(options) {
    const waiting = new AbortController();
    let isMine = true;
    let isHeld = false;
    /** @type {(value?: undefined) => void} */
    let release = () => undefined;
    const held = new Promise((/** @type {(value?: undefined) => void} */ resolve) => (release = resolve));
    this.#giveUp = () => {
      isMine = false;
      release();
      waiting.abort();
    };
    const granted = () => {
      if (!isMine) return undefined;
      isHeld = true;
      this.#on?.elected();
      return held;
    };
    navigator.locks.request(this.#lock, options ?? { signal: waiting.signal }, granted).catch((error) => {
      if (!isMine) return;
      isMine = false;
      if (!isHeld) {
        // A page that may store nothing may not lock either: sandboxed, or its site's data are blocked.
        if (error.name === 'SecurityError') this.#on?.refused();
        return;
      }
      // It was stolen.
      this.#on?.deposed();
      this.#queue();
      void this.#tellHolder();
    });
  }

  async #tellHolder() {
    const holder = await this.#holder();
    this.#on?.holder(holder);
  }

  /** The replica that holds the lock, if the browser tells. @returns {Promise<string | undefined>} */
  async #holder() {
    // A page that may store nothing may not ask.
    const { held = [] } = await navigator.locks.query().catch(() => ({ held: [] }));
    const clientId = held.find(({ name }) => name === this.#lock)?.clientId;
    const prefix = `${this.#lock}:replica:`;
    const replica = held.find((lock) => lock.clientId === clientId && lock.name?.startsWith(prefix));
    return replica?.name?.slice(prefix.length);
  }
}
