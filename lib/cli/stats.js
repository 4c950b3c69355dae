'use strict';

const { QUERY_OPTIONS, QUERY_HELP, askBroker, withClient } = require('./asking');
const { Failure, Usage } = require('./failure');
const { duration, printJson, sumOf, table } = require('./output');
const { readSettings } = require('./settings');

const help = `Usage: zmq-omdp stats [SERVICE] [OPTION…]

Prints counts and times of all services, or of one. The exit code is 1 if there is no such service.

${QUERY_HELP}`;

/** @typedef {import('../../index').BrokerStats['services'][number]} Service */

const TITLES = [
  'SERVICE',
  '>WORKERS',
  '>WAITING',
  '>RUNNING',
  '>REQUESTS',
  '>REPLIES',
  '>FAILURES',
  '>ERRORS',
  '>MEDIAN',
  '>99 %',
];

/** @param {Service} service */
function rowOf({ name, workers, queued, running, counters, latency }) {
  const { requests, replies, failures, errors } = counters;
  const times = [latency.total.p50, latency.total.p99].map(duration);
  return [name, workers, queued, running, requests, replies, failures, sumOf(errors), ...times];
}

/** @param {string[]} args @returns {Promise<number>} */
async function run(args) {
  const { settings, positionals } = readSettings(QUERY_OPTIONS, args);
  const [name, extra] = positionals;
  if (extra !== undefined) throw new Usage(`stats takes one SERVICE, but also got "${extra}"`);
  const stats = await withClient(settings, (client, signal) => askBroker(client, signal, 'mmi.metrics'));
  if (stats === undefined) return 1;
  /** @type {Service[]} */
  const all = stats.services;
  const services = name === undefined ? all : all.filter((each) => each.name === name);
  if (settings.json) printJson(name === undefined ? stats : (services[0] ?? null));
  else if (services.length > 0) process.stdout.write(table(TITLES, services.map(rowOf)));
  if (services.length === 0 && name !== undefined) throw new Failure(`there is no service "${name}"`);
  return 0;
}

exports.help = help;
exports.options = QUERY_OPTIONS;
exports.run = run;
