'use strict';

const { countedServices } = require('../monitor/service-states');
const { QUERY_OPTIONS, QUERY_HELP, askBroker, withClient } = require('./asking');
const { Failure, Usage } = require('./failure');
const { duration, printJson, sumOf, table } = require('./output');
const { readSettings } = require('./settings');

const help = `Usage: zmq-omdp stats [SERVICE] [OPTION…]

Prints counts and times of all services, or of one, also of those whose workers are gone. The exit code is 1 if there are
none, or there is no such service.

${QUERY_HELP}`;

/** @import { BrokerStats } from '../../index' */
/** @import { Service } from '../monitor/service-states' */

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
  const all = countedServices(stats);
  const services =
    name === undefined ? [...all, ...otherServices(stats)] : all.filter((each) => each.name === name);
  if (settings.json) {
    printJson(name === undefined ? stats : (services[0] ?? null));
    // A snapshot without services tells of the broker.
    if (name === undefined) return 0;
  } else if (services.length > 0) process.stdout.write(table(TITLES, services.map(rowOf)));
  if (services.length === 0)
    throw new Failure(name === undefined ? 'there are no services' : `there is no service "${name}"`);
  return 0;
}

/** The name of the services that have no numbers of their own, together. */
const OTHERS = '(other services)';

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

exports.help = help;
exports.options = QUERY_OPTIONS;
exports.run = run;
