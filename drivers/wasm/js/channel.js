// @ts-check
/** The channel between replicas: hints, pings and elections as text. It may lose them. */

/** @typedef {import('./types.d.ts').ChannelPort} ChannelPort */

/**
 * The channel of the outbox of this name; `undefined` where there is none.
 * @param {string} name
 * @returns {ChannelPort | undefined}
 */
export function openChannel(name) {
  const channel = broadcastChannel(`outbox:${name}`);
  if (channel === undefined) return undefined;
  /** @type {ChannelPort} */
  const port = {
    onmessage: null,
    post: (text) => channel.postMessage(text),
    close: () => channel.close(),
  };
  channel.onmessage = ({ data }) => {
    if (typeof data === 'string') port.onmessage?.(data);
  };
  return port;
}

/** @param {string} name @returns {BroadcastChannel | undefined} */
function broadcastChannel(name) {
  if (typeof BroadcastChannel !== 'function') return undefined;
  try {
    return new BroadcastChannel(name);
  } catch {
    // Firefox refuses it to a page that may store nothing; the storage says so by name.
    return undefined;
  }
}
