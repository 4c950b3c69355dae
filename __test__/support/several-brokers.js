'use strict';
// The cast of a test of several brokers.
const { once } = require('node:events');
const { Broker, Client, Worker } = require('../..');
const { freshEndpoint } = require('./endpoints');
const { SERVICE, echo } = require('./peers');

/** Peers of several brokers; all are stopped when the test ends. */
function several(t, count = 2, transport = 'inproc') {
  const made = [];
  t.after(() => Promise.all(made.map((peer) => peer.stop({ timeout: 0 }))));
  const keep = (peer) => {
    made.push(peer);
    return peer;
  };
  const endpoints = Array.from({ length: count }, () => freshEndpoint(transport));
  return {
    endpoints,
    broker: (at, conf) => keep(new Broker(endpoints[at], conf)),
    worker: (handler, conf, where = endpoints) => {
      const worker = keep(new Worker(where, SERVICE, conf));
      worker.on('request', handler);
      return worker;
    },
    client: (conf, where = endpoints) => keep(new Client(where, conf)),
  };
}

/** Waits until a peer is connected to so many brokers. */
const connected = (peer, count) =>
  new Promise((resolve) => {
    const seen = new Set();
    peer.on('connect', (endpoint) => {
      seen.add(endpoint);
      if (seen.size === count) resolve();
    });
  });

/** Two brokers, a worker and a client of both, all connected. */
async function cast(t, { handler = echo, transport = 'inproc', brokers = 2, conf, worker, client } = {}) {
  const peers = several(t, brokers, transport);
  const all = peers.endpoints.map((_, at) => peers.broker(at, conf));
  await Promise.all(all.map((broker) => broker.start()));
  const result = {
    ...peers,
    brokers: all,
    theWorker: peers.worker(handler, worker),
    theClient: peers.client(client),
  };
  const ready = [connected(result.theWorker, brokers), connected(result.theClient, brokers)];
  await Promise.all([result.theWorker.start(), result.theClient.start(), ...ready]);
  return result;
}

/** Counts at which broker each worker of one broker is asked. */
async function oneWorkerEach(t, { count = 2, transport = 'inproc', conf } = {}) {
  const peers = several(t, count, transport);
  const brokers = peers.endpoints.map((_, at) => peers.broker(at, conf));
  const asked = peers.endpoints.map(() => 0);
  const workers = peers.endpoints.map((endpoint, at) =>
    peers.worker(
      (data, reply) => {
        asked[at] += 1;
        reply.end(data);
      },
      conf,
      endpoint,
    ),
  );
  await Promise.all(brokers.map((broker) => broker.start()));
  await Promise.all(workers.map((worker) => Promise.all([once(worker, 'connect'), worker.start()])));
  return { ...peers, brokers, workers, asked };
}

module.exports = { cast, connected, oneWorkerEach, several };
