'use strict';
// The services of a snapshot, and the present state of one or of several together.

/** @import { BrokerStats } from '../../index' */

/** @typedef {BrokerStats['services'][number]} Service */

/** @typedef {Pick<BrokerStats['services'][number], 'workers' | 'idle' | 'queued' | 'queuedBytes' | 'oldest' | 'running'>} ServiceState */

/** @type {ServiceState} */
const NOTHING = { workers: 0, idle: 0, queued: 0, queuedBytes: 0, oldest: 0, running: 0 };

/** @param {readonly ServiceState[]} all @returns {ServiceState} */
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

/**
 * The services that have counts: those with a worker or a request, and those that had some. A broker of an earlier
 * version does not list the latter.
 * @param {Pick<BrokerStats, 'services'> & Partial<Pick<BrokerStats, 'absentServices'>>} stats
 * @returns {Service[]}
 */
function countedServices({ services, absentServices = [] }) {
  return [...services, ...absentServices.map((service) => ({ ...NOTHING, ...service, named: true }))];
}

exports.countedServices = countedServices;
exports.together = together;
