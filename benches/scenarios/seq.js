'use strict';
// The duration of a single request on an idle system: a small one, and large ones.
const { quantile } = require('../harness/stats.js');
const { warmUp } = require('../harness/warm.js');
const { comparison } = require('./scenario.js');

const MIB = 2 ** 20;

/**
 * @param {{ bytes: number, binary?: boolean }} payload
 * @param {number} perUnit µs in the reported unit
 * @param {number} first
 */
function measure(payload, perUnit, first) {
  return async (cluster) => {
    const conf = { binary: payload.binary };
    await cluster.start({ worker: conf, client: conf });
    const params = (count) => ({ count, ...payload });
    const count = await warmUp(cluster, 'seq', params, first);
    const { p50, p99, cpu } = await cluster.measureCpu('seq', params(count));
    return { value: p50 / perUnit, p99: p99 / perUnit, ...cpu };
  };
}

/** @param {number} clients processes, each of which makes one request after the other */
function measureSeveral(clients) {
  return async (cluster) => {
    await cluster.start();
    const others = [];
    while (others.length < clients - 1) others.push(await cluster.launch('client'));
    const all = [cluster.client, ...others];
    const params = (count) => ({ count, bytes: 3 });
    const count = await warmUp(cluster, 'seq', params, 500);
    await cluster.measureAll('seq', params(Math.min(count, 200)), all);
    const results = await cluster.measureAll('seq', params(count), all);
    const median = (name) =>
      quantile(
        results.map((each) => each[name]).sort((a, b) => a - b),
        0.5,
      );
    return { value: median('p50'), p99: median('p99') };
  };
}

module.exports = [
  comparison({
    name: 'seq',
    title: 'one request at a time, median of the round trips',
    unit: 'µs',
    better: 'lower',
    needs: 'text',
    measure: measure({ bytes: 3 }, 1, 500),
  }),
  ...[2, 4].map((clients) =>
    comparison({
      name: `seq-${clients}`,
      title: `${clients} clients, each with one request at a time, median of the round trips`,
      unit: 'µs',
      better: 'lower',
      needs: 'text',
      measure: measureSeveral(clients),
    }),
  ),
  comparison({
    name: 'big-text',
    title: 'one request at a time of 1 MiB as a string, echoed',
    unit: 'ms',
    better: 'lower',
    needs: 'text',
    measure: measure({ bytes: MIB }, 1000, 20),
  }),
  comparison({
    name: 'big-bytes',
    title: 'one request at a time of 1 MiB as a Buffer, echoed',
    unit: 'ms',
    better: 'lower',
    needs: 'bytes',
    measure: measure({ bytes: MIB, binary: true }, 1000, 20),
  }),
];
