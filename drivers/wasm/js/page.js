// @ts-check
/** What the page, or the worker, goes through: online and offline, visible, focused, frozen and back. */

/** @typedef {import('./types.d.ts').PageCallbacks} PageCallbacks */

/**
 * Tells it until the returned function is called. Says at once if it is offline.
 * @param {PageCallbacks} on
 * @returns {() => void}
 */
export function watchPage(on) {
  /** @type {(() => void)[]} */
  const ends = [];
  /** @param {EventTarget | undefined} target @param {string} type @param {(event: any) => void} heard */
  const listen = (target, type, heard) => {
    if (typeof target?.addEventListener !== 'function') return;
    target.addEventListener(type, heard);
    ends.push(() => target.removeEventListener(type, heard));
  };
  listen(globalThis, 'online', () => on.online(true));
  listen(globalThis, 'offline', () => on.online(false));
  if (typeof document !== 'undefined') {
    listen(document, 'visibilitychange', () => document.visibilityState === 'visible' && on.wake(0));
    listen(globalThis, 'focus', () => on.wake(1));
    listen(globalThis, 'pagehide', () => on.leave());
    listen(globalThis, 'pageshow', (event) => event.persisted && on.back());
    listen(document, 'freeze', () => on.leave());
    listen(document, 'resume', () => on.back());
  }
  if (globalThis.navigator?.onLine === false) on.online(false);
  return () => ends.splice(0).forEach((end) => end());
}

/** Ends what must not be open while the page is frozen. @type {Set<() => void>} */
const enders = new Set();
/** Ends the waiting for the page's return. @type {(() => void) | undefined} */
let goOn;
/** @type {Promise<void> | undefined} */
let back;
let isWatching = false;

/** While the page is frozen, or kept in the back/forward cache: resolves when it goes on. */
export const frozen = () => back;

/**
 * Calls back in the last moment before the page is frozen, until the returned function is called.
 * @param {() => void} end
 * @returns {() => void}
 */
export function beforeFreeze(end) {
  watchFreezing();
  enders.add(end);
  return () => enders.delete(end);
}

function watchFreezing() {
  if (isWatching || typeof document === 'undefined') return;
  isWatching = true;
  const freeze = () => {
    back ??= new Promise((resolve) => (goOn = resolve));
    for (const end of [...enders]) end();
  };
  const thaw = () => {
    back = undefined;
    goOn?.();
  };
  document.addEventListener('freeze', freeze);
  globalThis.addEventListener('pagehide', (event) => event.persisted && freeze());
  document.addEventListener('resume', thaw);
  globalThis.addEventListener('pageshow', thaw);
}
