'use strict';
// The rows of the page's tables. Their number is bounded; the services without a row of their own share one.

const { add, percentilesOf } = require('./service-counts');
const { mergeNumbers } = require('./merge');
const { together } = require('./service-states');

/** @import { BrokerStats } from '../../index' */
/** @import { Counts } from './service-counts' */
/** @import { Ledger } from './ledger' */

/** The maximum number of rows of a table. */
const MAX_ROWS = 500;

/** @param {Counts} counts @param {number} seconds */
function recentOf(counts, seconds) {
  const [p50, p95, p99] = percentilesOf(counts, [50, 95, 99]);
  return { perSecond: counts.ended / seconds, failed: counts.failed, p50, p95, p99 };
}

/** Texts in the order of their code units, undefined last. @param {string} a @param {string} b */
const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

/**
 * The busiest services, by name, and the others as one row without a name, so that the rows add up to the totals.
 * @param {BrokerStats} stats
 * @param {{ ledger: Ledger, before: Ledger | undefined, seconds: number }} recent
 */
function serviceRows({ otherServices }, { ledger, before, seconds }) {
  const all = ledger.services.map((service) => ({ service, counts: ledger.since(service, before) }));
  if (all.length > MAX_ROWS) all.sort((a, b) => importance(b) - importance(a));
  const own = all.slice(0, MAX_ROWS).sort((a, b) => byText(a.service.name, b.service.name));
  const others = all.slice(MAX_ROWS);
  const rest = ledger.othersSince(before);
  for (const { counts } of others) add(rest, counts);
  const parts = [otherServices, ...others.map(({ service }) => service)];
  const { counters } = mergeNumbers(parts);
  const present = together(parts);
  const rows = own.map(({ service: { name, counters, workers, idle, queued, oldest, running }, counts }) => {
    const recent = recentOf(counts, seconds);
    return { name, workers, idle, queued, oldest, running, counters, recent };
  });
  const any = counters.requests + present.workers + present.queued + present.running > 0;
  return {
    rows: any ? [...rows, { name: null, ...present, counters, recent: recentOf(rest, seconds) }] : rows,
    count: all.length,
    left: others.length,
  };
}

/** Services with workers or requests come before those without, then those with more requests. */
/** @param {{ service: Ledger['services'][number], counts: Counts }} entry */
function importance({ service: { workers, queued, running }, counts }) {
  return (workers + queued + running > 0 ? 1e15 : 0) + counts.ended + queued + running;
}

/**
 * The rows of workers or clients, by name.
 * @template {{ name: string }} T
 * @param {readonly T[]} list
 * @param {number} count of all, also of those that are not in the list
 */
function peerRows(list, count) {
  const rows = list.toSorted((a, b) => byText(a.name, b.name)).slice(0, MAX_ROWS);
  return { rows, left: Math.max(0, count - rows.length) };
}

exports.peerRows = peerRows;
exports.serviceRows = serviceRows;
