'use strict';
// Buffers of many MiB, there and back: one at a time, and those of several clients at the same time.
const { forgetPeak, memory } = require('../harness/proc.js');
const { warmUp } = require('../harness/warm.js');
const { comparison } = require('./scenario.js');

const MIB = 2 ** 20;

/** @param {number} bytes of each @param {number} clients */
function measure(bytes, clients) {
  return async (cluster) => {
    const conf = { binary: true };
    await cluster.start({ worker: conf, client: conf });
    const all = [cluster.client];
    while (all.length < clients) all.push(await cluster.launch('client', conf));
    const params = (count) => ({ count, bytes, binary: true });
    const count = await warmUp(cluster, 'seq', params, 3);
    const each = Math.max(2, Math.round(count / clients));
    forgetPeak(cluster.broker.pid);
    const started = performance.now();
    await cluster.measureAll('seq', params(each), all);
    const ms = performance.now() - started;
    const peak = memory(cluster.broker.pid)?.peak;
    return { value: ms / (each * clients), ...(peak && { brokerPeakMiB: peak / MIB }) };
  };
}

module.exports = [
  [10, 1],
  [10, 8],
  [100, 1],
].map(([mib, clients]) =>
  comparison({
    name: `large-${mib}-${clients}`,
    title: `Buffers of ${mib} MiB, echoed, ${clients} at a time: time for each`,
    unit: 'ms',
    better: 'lower',
    needs: 'bytes',
    measure: measure(mib * MIB, clients),
  }),
);
