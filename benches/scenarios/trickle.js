'use strict';
// The cost of little traffic: the processor time of all three processes while requests come at a given rate.
const { comparison } = require('./scenario.js');

/** Requests a second. */
const RATES = [1, 10, 100, 1000];

module.exports = RATES.map((rate) =>
  comparison({
    name: `trickle-${rate}`,
    title: `processor time of all processes at ${rate} request${rate === 1 ? '' : 's'} a second`,
    unit: '% of a core',
    better: 'lower',
    needs: 'paced',
    async measure(cluster) {
      await cluster.start();
      const { args } = cluster;
      const params = (count) => ({ count, rate });
      await cluster.measure('trickle', params(Math.min(rate, 200)));
      const seconds = args.small ? 0.1 : Math.max(3, args.seconds);
      const count = Math.max(2, Math.round(rate * seconds));
      const result = await cluster.measureCpu('trickle', params(count));
      const roles = ['brokerCpu', 'workerCpu', 'clientCpu'];
      const percent = Object.fromEntries(
        roles.map((role) => [`${role}Percent`, ((result.cpu[role] * count) / 1e6 / result.seconds) * 100]),
      );
      return { value: Object.values(percent).reduce((sum, each) => sum + each, 0), ...percent };
    },
  }),
);
