'use strict';
// The services of a snapshot that have counts: those with a worker or a request, and those that had some.

/** @import { BrokerStats } from '../../index' */
/** @typedef {BrokerStats['services'][number]} Service */

/** The present state of a service that has neither workers nor requests. */
const ABSENT = { workers: 0, idle: 0, queued: 0, queuedBytes: 0, oldest: 0, running: 0 };

/** The name of the services that have no numbers of their own, together. */
const OTHERS = '(other services)';

/** @param {BrokerStats} stats @returns {Service[]} */
function countedServices({ services, absentServices = [] }) {
  const absent = absentServices.map((service) => ({ named: true, ...ABSENT, ...service }));
  return [...services, ...absent];
}

/** All other services as one, if there are or were any. @param {BrokerStats} stats @returns {Service[]} */
function otherServices({ otherServices: others }) {
  if (others === undefined) return [];
  const { workers, queued, running, counters } = others;
  const { requests, replies, failures, errors } = counters;
  const isUsed = [workers, queued, running, requests, replies, failures, ...Object.values(errors)].some(
    Boolean,
  );
  return isUsed ? [{ ...others, name: OTHERS, named: false }] : [];
}

exports.countedServices = countedServices;
exports.otherServices = otherServices;
