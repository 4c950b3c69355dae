'use strict';
// A running client without references can be collected while it is idle. Its outbox is then closed, which ends
// its connections, and a warning says that stop() is missing.

/** @import { Outbox } from './outbox' */
/** @import { Peer } from './peer' */

/** Peers that are busy and therefore kept alive. @type {Set<Peer>} */
const BUSY = new Set();

let warned = false;

/** @type {FinalizationRegistry<{ outbox: Outbox, what: string }>} */
const COLLECTED = new FinalizationRegistry(({ outbox, what }) => {
  // Only the outbox still refers to the native side.
  outbox.close();
  if (warned) return;
  warned = true;
  process.emitWarning(`${what} was garbage-collected while it ran: call stop() when it is no longer needed`, {
    code: 'OMDP_NOT_STOPPED',
  });
});

/** @param {Peer} peer @param {boolean} busy */
function keep(peer, busy) {
  if (busy) BUSY.add(peer);
  else BUSY.delete(peer);
}

/**
 * @param {Peer} peer
 * @param {Outbox} outbox
 * @param {readonly string[]} endpoints
 */
function began(peer, outbox, endpoints) {
  const what = `${peer.constructor.name} "${peer.name}" of ${endpoints.join(', ')}`;
  COLLECTED.register(peer, { outbox, what }, peer);
}

/** @param {Peer} peer */
function ended(peer) {
  COLLECTED.unregister(peer);
}

/**
 * Makes the function that wakes a peer, without a strong reference to it.
 * @param {{ wake: () => void }} inbox
 * @returns {() => void}
 */
function waker(inbox) {
  const weak = new WeakRef(inbox);
  return () => weak.deref()?.wake();
}

/** Calls it. The native side wakes all peers by this function. @param {() => void} wake */
function call(wake) {
  wake();
}

exports.began = began;
exports.call = call;
exports.ended = ended;
exports.keep = keep;
exports.waker = waker;
