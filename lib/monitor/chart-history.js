'use strict';
// The points of the page's charts.

const { endsOf, percentilesOf } = require('./service-counts');

/** @import { BrokerStats } from '../../index' */
/** @import { Counts } from './service-counts' */
/** @import { Ledger } from './ledger' */

/** The maximum number of services with charts. */
const MAX_CHARTED = 200;

/** Requests, ended, failed, waiting and running ones, median and 99th percentile. @typedef {number[]} Values */
/** @typedef {{ at: number, all: Values, rows: Record<string, Values> }} Point */

/** The rank of a service if not all can have charts; the lowest ranks have them. @param {Ledger['services'][number]} service */
const rankOf = ({ workers, queued, running }) => (workers > 0 ? 0 : queued + running > 0 ? 1 : 2);

/** @param {Counts} counts since the last point @returns {number[]} */
const timesOf = (counts) => percentilesOf(counts, [50, 99]);

class ChartHistory {
  #span;
  /** @type {Point[]} */
  #points = [];
  /** Names of the services with charts. @type {Set<string>} */
  #charted = new Set();
  /** @type {Ledger | undefined} */
  #last;

  /** @param {number} span in ms */
  constructor(span) {
    this.#span = span;
  }

  get points() {
    return this.#points;
  }

  get charted() {
    return [...this.#charted];
  }

  /** The broker was started: all counts begin at 0. @param {number} now in ms */
  begin(now) {
    this.#last = undefined;
    this.#push({ at: now, all: [0, 0, 0, 0, 0, 0, 0], rows: {} });
  }

  /** @param {BrokerStats} stats @param {Ledger} ledger of that snapshot @param {number} now in ms @returns {Point} */
  add({ counters, queued, running }, ledger, now) {
    // Without an earlier snapshot, the time of these counts is unknown.
    const before = this.#points.length === 0 ? ledger : this.#last;
    this.#last = ledger;
    // A name may be that of a property of every object.
    /** @type {Record<string, Values>} */
    const rows = Object.create(null);
    for (const service of this.#choose(ledger.services)) {
      const { ended, failed } = endsOf(service.counters);
      const times = timesOf(ledger.since(service, before));
      rows[service.name] = [
        service.counters.requests,
        ended,
        failed,
        service.queued,
        service.running,
        ...times,
      ];
    }
    const { ended, failed } = endsOf(counters);
    const all = [counters.requests, ended, failed, queued, running, ...timesOf(ledger.allSince(before))];
    const point = { at: now, all, rows };
    this.#push(point);
    return point;
  }

  /** @param {Point} point */
  #push(point) {
    this.#points.push(point);
    while (this.#points[0].at < point.at - this.#span) this.#points.shift();
  }

  /**
   * The services with charts: those with workers first, and of equal ones those that have charts already.
   * @param {Ledger['services']} services
   */
  #choose(services) {
    const charted = this.#charted;
    const chosen = services
      .map((service) => ({ service, order: 2 * rankOf(service) + (charted.has(service.name) ? 0 : 1) }))
      .sort((a, b) => a.order - b.order)
      .slice(0, MAX_CHARTED)
      .map(({ service }) => service);
    this.#charted = new Set(chosen.map(({ name }) => name));
    return chosen;
  }
}

exports.ChartHistory = ChartHistory;
