'use strict';
// The events of a broker, for any number of monitors: the broker has one set of listeners.

/** @import { Broker } from '../../index' */

const EVENTS = [
  'start',
  'stop',
  'workerReady',
  'workerGone',
  'clientGone',
  'requestExpired',
  'requestRejected',
  'queueFull',
  'limitReached',
  'descriptorsExhausted',
  'peerRefused',
  'denied',
  'badMessage',
];

/** @typedef {(event: string, payload: unknown) => void} Listener */

/** The monitors' listeners, and those of the broker. */
/** @typedef {{ listeners: Set<Listener>, attached: [string, (payload: unknown) => void][] }} Following */

/** @type {WeakMap<Broker, Following>} */
const followed = new WeakMap();

/**
 * Calls a listener at each event of a broker.
 * @param {Broker} broker
 * @param {Listener} listener
 * @returns {() => void} ends it
 */
function follow(broker, listener) {
  const { listeners, attached } = followed.get(broker) ?? listen(broker);
  listeners.add(listener);
  return () => {
    if (!listeners.delete(listener) || listeners.size > 0) return;
    followed.delete(broker);
    for (const [event, told] of attached) /** @type {any} */ (broker).off(event, told);
  };
}

/** @param {Broker} broker @returns {Following} */
function listen(broker) {
  /** @type {Set<Listener>} */
  const listeners = new Set();
  /** @type {[string, (payload: unknown) => void][]} */
  const attached = EVENTS.map((event) => [
    event,
    (payload) => {
      for (const listener of listeners) listener(event, payload);
    },
  ]);
  for (const [event, listener] of attached) /** @type {any} */ (broker).on(event, listener);
  const following = { listeners, attached };
  followed.set(broker, following);
  return following;
}

exports.follow = follow;
