'use strict';
// The number of partials of one request a second.
const { warmUp } = require('../harness/warm.js');
const { comparison } = require('./scenario.js');

module.exports = [
  comparison({
    name: 'stream',
    title: 'one request with many partials',
    unit: 'partials/s',
    better: 'higher',
    needs: 'parts',
    async measure(cluster) {
      await cluster.start({ worker: { kind: 'parts' } });
      const params = (parts) => ({ parts });
      const parts = await warmUp(cluster, 'stream', params, 5000);
      const { seconds, cpu } = await cluster.measureCpu('stream', params(parts));
      return { value: parts / seconds, ...cpu };
    },
  }),
];
