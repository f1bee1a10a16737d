// @ts-check
/** The channel between replicas: hints, pings and elections as text. It may lose them. */

/** @typedef {import('./types.d.ts').ChannelPort} ChannelPort */

/**
 * The channel of the outbox of this name; `undefined` where there is no BroadcastChannel.
 * @param {string} name
 * @returns {ChannelPort | undefined}
 */
export function openChannel(name) {
  if (typeof BroadcastChannel !== 'function') return undefined;
  const channel = new BroadcastChannel(`outbox:${name}`);
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
