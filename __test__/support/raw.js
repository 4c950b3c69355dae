'use strict';
// Peers of 0.0.92, played by plain ZeroMQ sockets from the frames that it sends and takes, and sockets that say
// anything at all. ZeroMQ of its own is another library than the addon's, so they meet over tcp and ipc, not inproc.
const assert = require('node:assert/strict');
const { Dealer, Router } = require('zeromq');

/** Only turns a message that never comes into a test that fails. */
const PATIENCE = 10_000;

const OPTIONS = { linger: 0, receiveTimeout: PATIENCE, sendTimeout: PATIENCE };

const toText = (frames) => frames.map((frame) => frame.toString());

/** A DEALER that is connected. */
function rawDealer(t, endpoint, routingId) {
  const socket = new Dealer({ ...OPTIONS, ...(routingId === undefined ? {} : { routingId }) });
  t.after(() => socket.close());
  socket.connect(endpoint);
  return socket;
}

/** A ROUTER that is bound. */
async function rawRouter(t, endpoint) {
  const socket = new Router({ ...OPTIONS, mandatory: true, handover: true });
  t.after(() => socket.close());
  await socket.bind(endpoint);
  return socket;
}

module.exports = { rawDealer, rawRouter, toText };
