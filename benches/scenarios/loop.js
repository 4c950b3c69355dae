'use strict';
// The delay of timers in a Node.js process that hosts the broker, while all traffic passes through it.
const { warmUp } = require('../harness/warm.js');
const { comparison } = require('./scenario.js');

/** How long the idle loop is observed, in ms. */
const IDLE = 500;

module.exports = [
  comparison({
    name: 'loop',
    title: 'delay of the event loop that hosts the broker under full load, 99th percentile',
    unit: 'ms',
    better: 'lower',
    needs: 'loop',
    async measure(cluster) {
      await cluster.start();
      const { bound, small } = cluster.args;
      const ask = (op) => cluster.broker.call(op, {}, bound);
      const params = (count) => ({ count, depth: 1000 });
      const count = await warmUp(cluster, 'window', params, 2000);
      await ask('watchLoop');
      await new Promise((resolve) => setTimeout(resolve, small ? 50 : IDLE));
      const idle = await ask('loop');
      await ask('watchLoop');
      const { seconds } = await cluster.measure('window', params(count));
      const loaded = await ask('loop');
      return {
        value: loaded.p99,
        p50: loaded.p50,
        max: loaded.max,
        idleP99: idle.p99,
        rate: count / seconds,
      };
    },
  }),
];
