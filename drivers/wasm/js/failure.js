// @ts-check
/** How a storage fails. */

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

/** @param {unknown} [cause] */
export const quotaUsedUp = (cause) =>
  storageFailure('full', 'the quota of this site is used up; nothing was written', cause);
