'use strict';

const { QUERY_OPTIONS, QUERY_HELP, askBroker, withClient } = require('./asking');
const { Failure, Usage } = require('./failure');
const { printJson, table } = require('./output');
const { readSettings } = require('./settings');

const help = `Usage: zmq-omdp ls [OPTION…]

Lists the services of a broker that have a worker or a request. The exit code is 1 if there are none.

${QUERY_HELP}`;

/** @typedef {{ name: string, workers: number, queued: number, running: number }} Listed */

/** @param {string[]} args @returns {Promise<number>} */
async function run(args) {
  const { settings, positionals } = readSettings(QUERY_OPTIONS, args);
  if (positionals.length > 0) throw new Usage(`ls takes no argument, got "${positionals[0]}"`);
  const services = await withClient(settings, listAll);
  if (settings.json) printJson(services);
  else if (services.length > 0) {
    const rows = services.map(({ name, workers, queued, running }) => [name, workers, queued, running]);
    process.stdout.write(table(['SERVICE', '>WORKERS', '>WAITING', '>RUNNING'], rows));
  }
  if (services.length === 0) throw new Failure('there are no services');
  return 0;
}

/**
 * All pages of the list. A service that changes its page while they are read is listed once.
 * @param {import('../client').Client} client
 * @param {AbortSignal} signal
 * @returns {Promise<Listed[]>}
 */
async function listAll(client, signal) {
  /** @type {Map<string, Listed>} */
  const found = new Map();
  for (let page = 0; ; page += 1) {
    /** @type {Listed[]} */
    const listed = await askBroker(client, signal, 'mmi.services', page);
    for (const service of listed) found.set(service.name, service);
    if (listed.length === 0) return [...found.values()];
  }
}

exports.help = help;
exports.options = QUERY_OPTIONS;
exports.run = run;
