'use strict';

const { ASKING, ASKING_HELP, askBroker, withClient } = require('./asking');
const { Usage } = require('./failure');
const { printJson, table } = require('./output');
const { readSettings } = require('./settings');

const help = `Usage: zmq-omdp ls [OPTION…]

Lists the services of a broker that have a worker or a request. The exit code is 1 if there are none.

${ASKING_HELP}`;

/** @param {string[]} args @returns {Promise<number>} */
async function run(args) {
  const { settings, positionals } = readSettings(ASKING, args);
  if (positionals.length > 0) throw new Usage(`ls takes no argument, got "${positionals[0]}"`);
  const services = await withClient(settings, (client, signal) => askBroker(client, signal, 'mmi.services'));
  if (services === undefined) return 1;
  if (settings.json) printJson(services);
  else if (services.length > 0) {
    /** @type {{ name: string, workers: number, queued: number, running: number }[]} */
    const found = services;
    const rows = found.map(({ name, workers, queued, running }) => [name, workers, queued, running]);
    process.stdout.write(table(['SERVICE', '>WORKERS', '>WAITING', '>RUNNING'], rows));
  }
  return services.length === 0 ? 1 : 0;
}

exports.help = help;
exports.options = ASKING;
exports.run = run;
