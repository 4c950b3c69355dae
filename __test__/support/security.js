'use strict';
// Keys, secured peers, and sockets of another implementation that speak CURVE and PLAIN.
const { Dealer } = require('zeromq');
const { curveKeyPair } = require('../..');

const OPTIONS = { linger: 0, receiveTimeout: 60_000, sendTimeout: 60_000 };

/** The options of a broker that speaks CURVE. */
function curveBroker(keys, users, more = {}) {
  return { curveServer: true, curveSecretKey: keys.secretKey, security: { users, ...more } };
}

/** The options of a peer that speaks CURVE, in zeromq.js's words, which are ours. */
function curvePeer(serverKeys, keys) {
  return {
    curveServerKey: serverKeys.publicKey,
    curvePublicKey: keys.publicKey,
    curveSecretKey: keys.secretKey,
  };
}

/** A Dealer of zeromq.js with these options, connected; with a log of how its handshakes went. */
function foreignDealer(t, endpoint, options = {}) {
  const socket = new Dealer({ ...OPTIONS, ...options });
  t.after(() => socket.close());
  const failed = new Promise((resolve) => {
    for (const event of ['handshake:error:other', 'handshake:error:protocol', 'handshake:error:auth']) {
      socket.events.on(event, (details) => resolve({ event, details }));
    }
  });
  const shaken = new Promise((resolve) => socket.events.on('handshake', resolve));
  socket.connect(endpoint);
  return { socket, failed, shaken };
}

/** The next event. Not by once(), which an `error` event would end. */
const next = (emitter, event) => new Promise((resolve) => emitter.once(event, resolve));

const keys = () => curveKeyPair();

module.exports = { curveBroker, curvePeer, foreignDealer, keys, next };
