'use strict';

const { countedServices } = require('../monitor/service-states');
const { QUERY_OPTIONS, QUERY_HELP, askBroker, withClient } = require('./asking');
const { Failure, Usage } = require('./failure');
const { duration, printJson, shownName, sumOf, table } = require('./output');
const { readSettings } = require('./settings');

const help = `Usage: zmq-omdp info SERVICE [WORKER] [OPTION…]

Prints the state of a service and its workers, or of one worker. The exit code is 1 if there is no such service or worker.
A service whose workers are gone has its counts.

${QUERY_HELP}`;

/** @param {string[]} args @returns {Promise<number>} */
async function run(args) {
  const { settings, positionals } = readSettings(QUERY_OPTIONS, args);
  const [name, worker, extra] = positionals;
  if (name === undefined) throw new Usage('info needs a SERVICE');
  if (extra !== undefined) throw new Usage(`info takes a SERVICE and a WORKER, but also got "${extra}"`);
  const stats = await withClient(settings, (client, signal) => askBroker(client, signal, 'mmi.metrics'));
  /** @type {import('../../index').BrokerStats} */
  const { workers } = stats;
  const service = countedServices(stats).find((each) => each.name === name);
  const chosen = workers.filter((each) => {
    return each.service === name && (worker === undefined || each.name === worker);
  });
  if (service === undefined || (worker !== undefined && chosen.length === 0)) {
    if (settings.json) printJson(null);
    const what = service === undefined ? `service "${name}"` : `worker "${worker}" of "${name}"`;
    throw new Failure(`there is no ${what}`);
  }
  if (settings.json) printJson(worker === undefined ? { ...service, workers: chosen } : chosen[0]);
  else {
    if (worker === undefined) process.stdout.write(describe(service));
    process.stdout.write(workerTable(chosen));
  }
  return 0;
}

/** @param {import('../../index').BrokerStats['services'][number]} service */
function describe({ name, workers, idle, queued, oldest, running, counters, latency }) {
  const { queue, work, total } = latency;
  /** @param {import('../../index').Latency} times */
  const times = ({ p50, p95, p99, max }) => [p50, p95, p99, max].map(duration);
  const { requests, replies, failures, retried, rejected, cancelled, errors } = counters;
  const codes = Object.entries(errors).map(([code, count]) => `${code} ${count}`);
  const waiting = queued === 0 ? '' : `, the first for ${duration(oldest)}`;
  return [
    `${shownName(name)}: workers ${workers}, idle ${idle}; requests running ${running}, waiting ${queued}${waiting}`,
    `requests ${requests}, replies ${replies}, failures ${failures}, retries ${retried}, ` +
      `rejections ${rejected}, cancelled ${cancelled}`,
    `errors ${sumOf(errors)}${codes.length === 0 ? '' : `: ${codes.join(', ')}`}`,
    '',
    table(
      ['TIME', '>MEDIAN', '>95 %', '>99 %', '>LONGEST'],
      [
        ['waiting', ...times(queue)],
        ['at a worker', ...times(work)],
        ['in all', ...times(total)],
      ],
    ),
    '',
  ].join('\n');
}

/** @param {import('../../index').BrokerStats['workers'][number][]} workers */
function workerTable(workers) {
  // Only a broker with security lists addresses.
  const shown = workers.some(({ address }) => address !== undefined);
  const rows = workers.map(({ name, dialect, address = '', running, ended, failed, since, silent }) => {
    const where = shown ? [address] : [];
    return [name, dialect, ...where, running, ended, failed, duration(since), `${duration(silent)} ago`];
  });
  const where = shown ? ['ADDRESS'] : [];
  const titles = ['WORKER', 'DIALECT', ...where, '>RUNNING', '>ANSWERED', '>ERRORS', '>HERE FOR', '>HEARD'];
  return rows.length === 0 ? '' : table(titles, rows);
}

exports.help = help;
exports.options = QUERY_OPTIONS;
exports.run = run;
