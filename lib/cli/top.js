'use strict';

const { setTimeout: wait } = require('node:timers/promises');
const { QUERY_OPTIONS, QUERY_HELP, Follower, withClient } = require('./asking');
const { Usage } = require('./failure');
const { helpLine } = require('./options');
const { cut, duration, printJson, sumOf, table } = require('./output');
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

/** Moves the cursor to the top left and clears the screen below it. */
const HOME = '\x1b[H\x1b[J';
/** Switches to the alternate screen without a cursor, and back. */
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';

/** @typedef {import('../../index').BrokerStats} Stats */

const TITLES = [
  'SERVICE',
  '>PER SECOND',
  '>FAILED',
  '>WAITING',
  '>OLDEST',
  '>RUNNING',
  '>WORKERS',
  '>IDLE',
  '>MEDIAN',
  '>99 %',
];

/** @param {Stats['services'][number]} service */
function endsOf({ counters: { replies, failures, errors } }) {
  const failed = failures + sumOf(errors);
  return { ended: replies + failed, failed };
}

/**
 * @param {Stats} stats
 * @param {Stats | undefined} before
 * @param {number} seconds between the two
 */
function ratesOf(stats, before, seconds) {
  const earlier = new Map(before?.services.map((service) => [service.name, endsOf(service)]));
  const rows = stats.services.map((service) => {
    const now = endsOf(service);
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
function screen(stats, rates, height = Number.POSITIVE_INFINITY, width = Number.POSITIVE_INFINITY) {
  const total = rates.reduce((sum, { rate }) => sum + rate, 0);
  const head = `${new Date().toLocaleTimeString()}  ${stats.clients} clients, ${stats.workers.length} workers, ${stats.queued} waiting, ${stats.running} running, ${total.toFixed(0)} requests/s`;
  const rows = rates.slice(0, Math.max(1, height - 4)).map((row) => {
    const { name, rate, failed, queued, oldest, running, workers, idle, p50, p99 } = row;
    const numbers = [queued, duration(oldest), running, workers, idle, duration(p50), duration(p99)];
    return [name, rate.toFixed(rate < 10 ? 1 : 0), failed.toFixed(failed < 10 ? 1 : 0), ...numbers];
  });
  return `${cut(head, width)}\n\n${table(TITLES, rows, width)}`;
}

/** @param {string[]} args @returns {Promise<number>} */
async function run(args) {
  const { settings, positionals } = readSettings(OPTIONS, args);
  if (positionals.length > 0) throw new Usage(`top takes no argument, got "${positionals[0]}"`);
  const { interval, count = Number.POSITIVE_INFINITY, json } = settings;
  checkCount(settings.count);
  if (!(interval >= 50)) throw new Usage(`--interval must be a number from 50, got "${interval}"`);
  const isScreen = process.stdout.isTTY === true && !json;
  const quit = new AbortController();
  const { stdin } = process;
  if (isScreen) {
    process.stdout.write(ENTER);
    if (stdin.isTTY) {
      stdin.setRawMode(true);
      // In raw mode Ctrl-C is a key.
      stdin.on('data', (keys) => ['q', '\x03'].some((key) => String(keys).includes(key)) && quit.abort());
    }
  }
  try {
    await withClient(settings, async (client, ended) => {
      const signal = AbortSignal.any([ended, quit.signal]);
      /** @type {Stats | undefined} */
      let before;
      let at = performance.now();
      const follower = new Follower(client, signal, (reason) => {
        if (isScreen) process.stdout.write(`\n${reason}; trying again\n`);
        else process.stderr.write(`zmq-omdp: ${reason}; trying again\n`);
      });
      for (let n = 0; n < count && !signal.aborted; n += 1) {
        const stats = await follower.ask('mmi.metrics');
        const now = performance.now();
        const rates = ratesOf(stats, before, Math.max(0.001, (now - at) / 1000));
        if (json)
          printJson({
            services: rates,
            clients: stats.clients,
            queued: stats.queued,
            running: stats.running,
          });
        else
          process.stdout.write(
            isScreen
              ? HOME + screen(stats, rates, process.stdout.rows, process.stdout.columns)
              : screen(stats, rates),
          );
        before = stats;
        at = now;
        if (n + 1 < count) await wait(interval, undefined, { signal });
      }
    });
  } catch (error) {
    if (!quit.signal.aborted) throw error;
  } finally {
    if (isScreen) {
      process.stdout.write(LEAVE);
      if (stdin.isTTY) stdin.setRawMode(false);
      stdin.pause();
    }
  }
  return 0;
}

exports.help = help;
exports.options = OPTIONS;
exports.run = run;
