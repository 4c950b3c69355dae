'use strict';
// The present state of a service, or of several together.

/** @import { BrokerStats } from '../../index' */

/** @typedef {Pick<BrokerStats['services'][number], 'workers' | 'idle' | 'queued' | 'queuedBytes' | 'oldest' | 'running'>} Present */

/** @type {Present} */
const NOTHING = { workers: 0, idle: 0, queued: 0, queuedBytes: 0, oldest: 0, running: 0 };

/** @param {readonly Present[]} all @returns {Present} */
function together(all) {
  const sum = { ...NOTHING };
  for (const { oldest, ...counts } of all) {
    sum.oldest = Math.max(sum.oldest, oldest);
    for (const key of /** @type {const} */ (['workers', 'idle', 'queued', 'queuedBytes', 'running'])) {
      sum[key] += counts[key];
    }
  }
  return sum;
}

exports.NOTHING = NOTHING;
exports.together = together;
