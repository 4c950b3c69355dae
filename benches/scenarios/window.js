'use strict';
// The number of requests a second: with 1000 in flight, all at once, and with listeners on every stream.
const { forgetPeak, memory } = require('../harness/proc.js');
const { warmUp } = require('../harness/warm.js');
const { comparison } = require('./scenario.js');

const DEPTH = 1000;
const FLOOD = 100_000;
const MIB = 2 ** 20;

async function measureWindow(cluster, extra = {}) {
  await cluster.start();
  const params = (count) => ({ count, depth: DEPTH, ...extra });
  const count = await warmUp(cluster, 'window', params, 2 * DEPTH);
  const { seconds, cpu } = await cluster.measureCpu('window', params(count));
  return { value: count / seconds, ...cpu };
}

module.exports = [
  comparison({
    name: 'window',
    title: '1000 requests in flight, one worker',
    unit: 'requests/s',
    better: 'higher',
    needs: 'text',
    measure: (cluster) => measureWindow(cluster),
  }),

  comparison({
    name: 'flood',
    title: '100,000 requests made at once, one worker',
    unit: 'requests/s',
    better: 'higher',
    needs: 'text',
    async measure(cluster) {
      await cluster.start();
      const { args } = cluster;
      await warmUp(
        { measure: (...each) => cluster.measure(...each), args: { ...args, count: 1 } },
        'window',
        (count) => ({
          count,
          depth: DEPTH,
        }),
      );
      const count = args.small ? args.smallCount : (args.count ?? FLOOD);
      const before = await cluster.memoryOf(cluster.client);
      forgetPeak(cluster.client.pid);
      const { seconds } = await cluster.measure('window', { count, depth: count });
      const after = memory(cluster.client.pid);
      return {
        value: count / seconds,
        clientPeakMiB: after && after.peak / MIB,
        clientGrowthMiB: after && before && (after.peak - before.resident) / MIB,
      };
    },
  }),

  comparison({
    name: 'listeners',
    title: '1000 requests in flight, one worker, listeners on the stream of every request',
    unit: 'requests/s',
    better: 'higher',
    needs: 'listeners',
    measure: (cluster) => measureWindow(cluster, { listen: true }),
  }),
];
