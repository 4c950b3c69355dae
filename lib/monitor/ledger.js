'use strict';
// The counts of all services in one snapshot. A service keeps its counts when its last worker leaves and when the first
// returns: the snapshot lists it in another place only.

const { add, countsOf, none, since } = require('./service-counts');
const { mergeNumbers } = require('./merge');
const { countedServices, together } = require('./service-states');

/** @import { BrokerStats } from '../../index' */
/** @import { Counts } from './service-counts' */
/** @import { Service } from './service-states' */

/**
 * The services of a snapshot, with and without workers. Two names may be equal as text; they share an entry.
 * @param {BrokerStats} stats
 * @returns {Service[]}
 */
function servicesOf(stats) {
  /** @type {Map<string, Service>} */
  const entries = new Map();
  for (const service of countedServices(stats)) {
    const key = keyOf(service);
    const same = entries.get(key);
    entries.set(key, same === undefined ? service : merged(same, service));
  }
  return [...entries.values()];
}

/** @param {Service} a @param {Service} b @returns {Service} */
function merged(a, b) {
  return { ...a, ...together([a, b]), ...mergeNumbers([a, b]) };
}

/** @param {{ name: string, named: boolean }} service */
function keyOf({ name, named }) {
  return `${named ? 'n' : 'u'}${name}`;
}

/** The counts of one snapshot. */
class Ledger {
  services;
  /**
   * By key: the counts of named services, which stay, and those of the other services while they are listed.
   * @type {Map<string, Counts>}
   */
  counts = new Map();
  /** The sum of the counts of all services without a name of their own. The counts of released services are added here. */
  unnamed;

  /** @param {BrokerStats} stats @param {Ledger} [last] the one before, of the same start of the broker */
  constructor(stats, last) {
    this.services = servicesOf(stats);
    this.unnamed = countsOf(stats.otherServices);
    // A snapshot is made in pieces, between which a service may have moved from one list to another.
    for (const [key, counts] of last?.counts ?? []) if (key[0] === 'n') this.counts.set(key, counts);
    for (const service of this.services) {
      const key = keyOf(service);
      const counts = countsOf(service);
      if (!service.named) add(this.unnamed, counts);
      const same = last?.counts.get(key);
      // Most services are idle most of the time: then no memory is needed.
      this.counts.set(key, same?.ended === counts.ended ? same : counts);
    }
  }

  /**
   * The growth of the counts of a service since an earlier snapshot.
   * @param {{ name: string, named: boolean }} service
   * @param {Ledger | undefined} before undefined for the start of the broker
   * @returns {Counts}
   */
  since(service, before) {
    const key = keyOf(service);
    const counts = this.counts.get(key);
    return counts === undefined ? none() : since(counts, before?.counts.get(key));
  }

  /** The same for all services without an entry. @param {Ledger | undefined} before @returns {Counts} */
  othersSince(before) {
    const rest = since(this.unnamed, before?.unnamed);
    const listed = none();
    for (const service of this.services) if (!service.named) add(listed, this.since(service, before));
    return listed.ended === 0 ? rest : since(rest, listed);
  }

  /** The same for all services. @param {Ledger | undefined} before @returns {Counts} */
  allSince(before) {
    const all = none();
    add(all, since(this.unnamed, before?.unnamed));
    for (const service of this.services) if (service.named) add(all, this.since(service, before));
    return all;
  }
}

exports.Ledger = Ledger;
