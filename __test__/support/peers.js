'use strict';
// The cast of a test: peers on an endpoint of their own, stopped when the test ends, however it ends.
const { after } = require('node:test');
const { Broker, Client, Worker } = require('../..');
const { freshEndpoint } = require('./endpoints');

/** The service of tests that need but one. */
const SERVICE = 'service';

const echo = (data, reply) => reply.end(data);

class Peers {
  #made = [];

  constructor(t, endpoint) {
    this.endpoint = endpoint;
    t.after(() => Promise.all(this.#made.map((peer) => peer.stop({ timeout: 0 }))));
  }

  #keep(peer) {
    this.#made.push(peer);
    return peer;
  }

  broker(conf, endpoint = this.endpoint) {
    return this.#keep(new Broker(endpoint, conf));
  }

  worker(handler, { service = SERVICE, ...conf } = {}) {
    const worker = this.#keep(new Worker(this.endpoint, service, conf));
    if (handler) worker.on('request', handler);
    return worker;
  }

  client(conf) {
    return this.#keep(new Client(this.endpoint, conf));
  }

  /** All three, started. A worker whose handler is null has no listener. */
  async trio(handler = echo, { broker, worker, client } = {}) {
    const peers = {
      broker: this.broker(broker),
      worker: this.worker(handler, worker),
      client: this.client(client),
    };
    // The broker first: a peer that connects before it is bound tries again 100 ms later.
    await peers.broker.start();
    await start(peers.worker, peers.client);
    return peers;
  }
}

/**
 * @param {string} [transport] inproc where it does not matter, as the fastest
 * @param {string} [endpoint] where something is bound already
 */
function peersFor(t, transport = 'inproc', endpoint = freshEndpoint(transport)) {
  return new Peers(t, endpoint);
}

/**
 * In the place of a test's `t`, for what the tests of a suite share. To be called in the suite's body: an after()
 * within a before() would be that of the first test.
 */
function suiteScope() {
  const cleanUps = [];
  after(() => Promise.all(cleanUps.map((cleanUp) => cleanUp())));
  return { after: (cleanUp) => cleanUps.push(cleanUp) };
}

function start(...peers) {
  return Promise.all(peers.map((peer) => peer.start()));
}

/** Makes a request with callbacks, and gives what they were called with. */
function ask(client, data, opts, service = SERVICE) {
  const partials = [];
  return new Promise((resolve) => {
    const onPartial = (...args) => partials.push(args);
    client.request(service, data, onPartial, (...final) => resolve({ partials, final }), opts);
  });
}

/** Waits until the broker has been through all that this client has told it. */
async function heard(client) {
  await client.call('mmi.stats');
}

module.exports = { SERVICE, ask, echo, heard, peersFor, start, suiteScope };
