'use strict';

const { setTimeout: wait } = require('node:timers/promises');
const { endsOf } = require('../monitor/service-counts');
const { countedServices } = require('../monitor/service-states');
const { QUERY_OPTIONS, QUERY_HELP, Follower, untilInterrupted, withClient } = require('./asking');
const { Interrupted, Usage } = require('./failure');
const { helpLine } = require('./options');
const { cut, duration, printJson, printable, table } = require('./output');
const { Screen } = require('./screen');
const { checkCount, readSettings } = require('./settings');

const help = `Usage: zmq-omdp top [OPTION…]

Shows the services of a broker, the busiest first, until Ctrl-C or q.

${helpLine(undefined, 'interval', 'MS', 'the time between two updates (1000)')}${helpLine(undefined, 'count', 'N', 'the number of updates after which to end')}${QUERY_HELP}`;

/** @type {import('./settings').Options} */
const OPTIONS = {
  ...QUERY_OPTIONS,
  interval: { type: 'number', value: 1000 },
  count: { type: 'number' },
};

/** @typedef {import('../../index').BrokerStats} Stats */

/** @type {import('./output').Column[]} */
const COLUMNS = [
  { title: 'SERVICE' },
  { title: 'PER SECOND', short: 'PER S', isNumber: true },
  { title: 'FAILED', short: 'FAIL', isNumber: true, spare: 3 },
  { title: 'WAITING', short: 'WAIT', isNumber: true, spare: 2 },
  { title: 'OLDEST', isNumber: true, spare: 5 },
  { title: 'RUNNING', short: 'RUN', isNumber: true, spare: 4 },
  { title: 'WORKERS', short: 'WORK', isNumber: true, spare: 1 },
  { title: 'IDLE', isNumber: true, spare: 6 },
  { title: 'MEDIAN', isNumber: true },
  { title: '99 %', isNumber: true, spare: 1 },
];

/**
 * @param {Stats} stats
 * @param {Stats | undefined} before
 * @param {number} seconds between the two
 */
function ratesOf(stats, before, seconds) {
  // A service has its earlier counts again when a worker returns.
  const counted = before === undefined ? [] : countedServices(before);
  const earlier = new Map(counted.map((service) => [service.name, endsOf(service.counters)]));
  const rows = stats.services.map((service) => {
    const now = endsOf(service.counters);
    const then = earlier.get(service.name) ?? (before === undefined ? now : { ended: 0, failed: 0 });
    const { name, queued, oldest, running, workers, idle, latency } = service;
    const rate = Math.max(0, now.ended - then.ended) / seconds;
    const failed = Math.max(0, now.failed - then.failed) / seconds;
    const { p50, p99 } = latency.total;
    return { name, rate, failed, queued, oldest, running, workers, idle, p50, p99 };
  });
  return rows.sort((a, b) => b.rate - a.rate || b.queued - a.queued || (a.name < b.name ? -1 : 1));
}

/**
 * @param {Stats} stats
 * @param {ReturnType<typeof ratesOf>} rates
 * @param {number} [height] of the terminal
 * @param {number} [width]
 */
function pageOf(stats, rates, height = Number.POSITIVE_INFINITY, width = Number.POSITIVE_INFINITY) {
  const total = rates.reduce((sum, { rate }) => sum + rate, 0);
  const head = `${new Date().toLocaleTimeString()}  ${stats.clients} clients, ${stats.workers.length} workers, ${stats.queued} waiting, ${stats.running} running, ${total.toFixed(0)} requests/s`;
  const rows = rates.slice(0, Math.max(1, height - 4)).map((row) => {
    const { name, rate, failed, queued, oldest, running, workers, idle, p50, p99 } = row;
    const numbers = [queued, duration(oldest), running, workers, idle, duration(p50), duration(p99)];
    return [name, rate.toFixed(rate < 10 ? 1 : 0), failed.toFixed(failed < 10 ? 1 : 0), ...numbers];
  });
  return `${cut(head, width)}\n\n${table(COLUMNS, rows, width)}`;
}

/** @param {string[]} args @returns {Promise<number>} */
async function run(args) {
  const { settings, positionals } = readSettings(OPTIONS, args);
  if (positionals.length > 0) throw new Usage(`top takes no argument, got "${positionals[0]}"`);
  const { interval, count = Number.POSITIVE_INFINITY, json } = settings;
  checkCount(settings.count);
  if (!(interval >= 50)) throw new Usage(`--interval must be a number from 50, got "${interval}"`);
  const quit = new AbortController();
  const screen =
    process.stdout.isTTY === true && !json ? new Screen(() => quit.abort(new Interrupted(0))) : undefined;
  /** @type {string | undefined} */
  let last;
  /** @param {import('../client').Client} client @param {AbortSignal} ended */
  const follow = async (client, ended) => {
    const signal = AbortSignal.any([ended, quit.signal]);
    /** @type {Stats | undefined} */
    let before;
    let at = performance.now();
    const follower = new Follower(client, signal, (reason) => {
      const text = `${reason}; trying again`;
      if (screen === undefined) process.stderr.write(`zmq-omdp: ${text}\n`);
      else screen.note(printable(text));
    });
    for (let n = 0; n < count && !signal.aborted; n += 1) {
      const stats = await follower.ask('mmi.metrics');
      const now = performance.now();
      const rates = ratesOf(stats, before, Math.max(0.001, (now - at) / 1000));
      if (json) {
        const { clients, queued, running } = stats;
        printJson({ services: rates, clients, queued, running });
      } else if (screen === undefined) process.stdout.write(pageOf(stats, rates));
      else {
        const { rows, columns } = process.stdout;
        // After the given number of updates, the last one stays.
        if (Number.isFinite(count)) last = pageOf(stats, rates, undefined, columns);
        screen.show(pageOf(stats, rates, rows, columns));
      }
      before = stats;
      at = now;
      if (n + 1 < count) await wait(interval, undefined, { signal });
    }
  };
  try {
    return await untilInterrupted(() => withClient(settings, follow));
  } catch (error) {
    if (!quit.signal.aborted) throw error;
    return 0;
  } finally {
    screen?.end();
    if (last !== undefined && !quit.signal.aborted) process.stdout.write(last);
  }
}

exports.help = help;
exports.options = OPTIONS;
exports.run = run;
