'use strict';
// Whether a request costs more with more services, workers, clients or waiting requests: this package
// compared with itself at another size.
//
// Requests are measured one at a time, each through another one of the many, and with 1000 in flight between
// one client and one worker, while the many are connected and idle. (With many in flight over all of them,
// each peer would have its messages alone in a packet, and the kernel's cost for that would hide the result.)
// Peers send no heartbeats meanwhile, because those of 10,000 peers are more messages than single requests;
// their cost is reported separately.
const { openFiles } = require('../harness/machine.js');
const { cpuSeconds } = require('../harness/proc.js');
const { median } = require('../harness/stats.js');
const { warmUp } = require('../harness/warm.js');
const { MANY, QUIET, QUIET_BROKER } = require('./quiet.js');

/** The maximum number of descriptors of a fleet process for each peer (while it connects), and for itself. */
const PER_PEER = 4;
const OWN = 500;

const QUIET_ROLES = {
  broker: { broker: QUIET_BROKER },
  worker: { worker: QUIET },
  client: { client: QUIET },
};

/** How long the cost of heartbeats is measured, in ms. */
const IDLE = 5000;

function scaling({ unit = 'µs', peers, ...scenario }) {
  return {
    ...scenario,
    unit,
    better: 'lower',
    grows: true,
    suits: (system) => system.can.includes('fleet'),
    cases(systems, args) {
      const limit = openFiles();
      const sizes = peers ? args.sizes.filter((size) => size + OWN <= limit) : args.sizes;
      const left = args.sizes.filter((size) => !sizes.includes(size));
      const cases = systems
        .filter((system) => system.can.includes('fleet'))
        .flatMap((system) =>
          sizes.map((size) => ({ id: String(size), title: size.toLocaleString('en'), system, size })),
        );
      if (left.length === 0) return { cases };
      return { cases, reason: `left out ${left.join(', ')}: a process may open ${limit} files (ulimit -n)` };
    },
    baseline: (cells) => cells[0].id,
  };
}

/** Starts this number of peers, in as few processes as possible. */
async function launchFleet(cluster, conf, size) {
  const most = Math.floor((openFiles() - OWN) / PER_PEER);
  const fleets = [];
  for (let first = 0; first < size; first += most) {
    fleets.push(await cluster.launch('fleet', { ...conf, first, count: Math.min(most, size - first) }));
  }
  return fleets;
}

/**
 * One request at a time, by each of the clients in turn. The first pass includes set-up costs of the many.
 */
async function oneAtATime(cluster, clients, size = 1) {
  const runs = [];
  for (const client of clients) {
    const measured = { args: cluster.args, measure: (op, params) => cluster.measure(op, params, client) };
    const params = (count) => ({ count, bytes: 3 });
    await measured.measure('seq', params(size));
    const count = Math.ceil((await warmUp(measured, 'seq', params)) / clients.length);
    runs.push(await cluster.measureCpu('seq', params(count), client));
  }
  return {
    value: median(runs.map(({ p50 }) => p50)),
    brokerCpu: median(runs.map(({ cpu }) => cpu.brokerCpu)),
  };
}

/** 1000 in flight between one client and one worker. */
async function thousandInFlight(cluster, depth = 1000) {
  const params = (count) => ({ count, depth });
  const count = await warmUp(cluster, 'window', params, 2 * depth);
  const { seconds, cpu } = await cluster.measureCpu('window', params(count));
  return { windowUs: (seconds * 1e6) / count, windowBrokerCpu: cpu.brokerCpu };
}

module.exports = [
  scaling({
    name: 'scale-services',
    title: 'so many services, each with a worker of its own',
    peers: true,
    async measure(cluster, { size }) {
      await cluster.start(QUIET_ROLES);
      const fleets = await launchFleet(
        cluster,
        { kind: 'workers', service: 'fleet', apart: true, peer: QUIET },
        size,
      );
      const client = await cluster.launch('fleet', {
        kind: 'spread',
        service: 'fleet',
        count: size,
        peer: QUIET,
      });
      cluster.worker = [cluster.worker, ...fleets];
      return { ...(await oneAtATime(cluster, [client], size)), ...(await thousandInFlight(cluster)) };
    },
  }),
  scaling({
    name: 'scale-workers',
    title: 'so many workers of one service',
    peers: true,
    async measure(cluster, { size }) {
      await cluster.start(QUIET_ROLES);
      const fleets = await launchFleet(
        cluster,
        { kind: 'workers', service: 'fleet', apart: false, peer: QUIET },
        size,
      );
      const client = await cluster.launch('client', { service: 'fleet', client: QUIET });
      cluster.worker = [cluster.worker, ...fleets];
      return { ...(await oneAtATime(cluster, [client], size)), ...(await thousandInFlight(cluster)) };
    },
  }),
  scaling({
    name: 'scale-clients',
    title: 'so many clients',
    peers: true,
    async measure(cluster, { size }) {
      await cluster.start(QUIET_ROLES);
      const fleets = await launchFleet(cluster, { kind: 'clients', peer: QUIET }, size);
      return {
        ...(await oneAtATime(cluster, fleets, Math.ceil(size / fleets.length))),
        ...(await thousandInFlight(cluster)),
      };
    },
  }),
  scaling({
    name: 'scale-waiting',
    title: 'so many requests that wait for another service',
    peers: false,
    async measure(cluster, { size }) {
      await cluster.start(QUIET_ROLES);
      const holder = await cluster.launch('client', { client: QUIET });
      await cluster.measure('hold', { count: size }, holder);
      return { ...(await oneAtATime(cluster, [cluster.client])), ...(await thousandInFlight(cluster)) };
    },
  }),
  scaling({
    name: 'scale-queue',
    title: 'so many requests that wait for the same worker, beyond 1000 in flight',
    peers: false,
    async measure(cluster, { size }) {
      await cluster.start(QUIET_ROLES);
      const { windowUs, windowBrokerCpu } = await thousandInFlight(cluster, 1000 + size);
      return { value: windowUs, brokerCpu: windowBrokerCpu };
    },
  }),
  scaling({
    name: 'scale-idle',
    title: 'processor time of the broker for so many connected workers that have nothing to do: heartbeats',
    unit: '% of a core',
    peers: true,
    async measure(cluster, { size }) {
      cluster.broker = await cluster.launch('broker', { broker: MANY });
      await launchFleet(cluster, { kind: 'workers', service: 'fleet', apart: false }, size);
      const ms = cluster.args.small ? 50 : IDLE;
      const before = cpuSeconds(cluster.broker.pid);
      await new Promise((resolve) => setTimeout(resolve, ms));
      return { value: ((cpuSeconds(cluster.broker.pid) - before) * 1000 * 100) / ms };
    },
  }),
];
