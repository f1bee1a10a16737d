// What the tests do to the browser: evaluated once, as `globalThis.faults`.
globalThis.faults ??= (() => {
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const hide = (holder, name) => {
    const target = holder === 'navigator' ? navigator : globalThis;
    const own = Object.getOwnPropertyDescriptor(target, name);
    Object.defineProperty(target, name, { value: undefined, configurable: true });
    return () => (own ? Object.defineProperty(target, name, own) : delete target[name]);
  };
  const patch = (prototype, name, replaced) => {
    const original = prototype[name];
    prototype[name] = replaced(original);
    return () => (prototype[name] = original);
  };
  const refuseToOpen = () => patch(IDBFactory.prototype, 'open', () => () => {
    throw new DOMException('The operation is insecure.', 'SecurityError');
  });
  /** The next transaction finds the connection closed. */
  const loseConnection = () => {
    const mend = patch(IDBDatabase.prototype, 'transaction', (original) => function () {
      mend();
      this.close();
      return original.apply(this, arguments);
    });
  };
  /** Each insert of an item finds the quota used up. */
  const useUpQuota = () => {
    const error = Object.getOwnPropertyDescriptor(IDBTransaction.prototype, 'error');
    const get = () => new DOMException('Quota exceeded.', 'QuotaExceededError');
    Object.defineProperty(IDBTransaction.prototype, 'error', { get, configurable: true });
    const mend = patch(IDBObjectStore.prototype, 'add', () => function () { this.transaction.abort(); });
    return () => { mend(); Object.defineProperty(IDBTransaction.prototype, 'error', error); };
  };
  /** The connection is lost when the next transaction that writes is being committed. */
  const loseCommit = () => {
    const error = Object.getOwnPropertyDescriptor(IDBTransaction.prototype, 'error');
    const mend = patch(IDBTransaction.prototype, 'commit', (original) => function () {
      mend();
      const get = () => new DOMException('Connection to Indexed Database server lost.', 'UnknownError');
      Object.defineProperty(this, 'error', { get });
      const { oncomplete, onabort } = this;
      this.oncomplete = () => onabort?.call(this);
      original.apply(this);
    });
  };
  /** Counts the transactions that write, from now on. */
  const countWrites = () => {
    let count = 0;
    const mend = patch(IDBDatabase.prototype, 'transaction', (original) => function (stores, mode, options) {
      if (mode === 'readwrite') count += 1;
      return original.call(this, stores, mode, options);
    });
    return () => { mend(); return count; };
  };
  return { sleep, hide, refuseToOpen, loseConnection, useUpQuota, loseCommit, countWrites };
})();
