'use strict';

const { QUERY_OPTIONS, QUERY_HELP, askBroker, withClient } = require('./asking');
const { Usage } = require('./failure');
const { duration, printJson, shownName } = require('./output');
const { readSettings } = require('./settings');

const help = `Usage: zmq-omdp ping SERVICE [OPTION…]

Asks the broker whether a worker serves SERVICE, and prints the round trip. The exit code is 1 if no worker does. The
workers get no request.

${QUERY_HELP}`;

/** @param {string[]} args @returns {Promise<number>} */
async function run(args) {
  const { settings, positionals } = readSettings(QUERY_OPTIONS, args);
  const [service, extra] = positionals;
  if (service === undefined) throw new Usage('ping needs a SERVICE');
  if (extra !== undefined) throw new Usage(`ping takes one SERVICE, but also got "${extra}"`);
  const { served, ms } = await withClient(settings, async (client, signal) => {
    // The first query includes the time to connect.
    await askBroker(client, signal, 'mmi.service', service);
    const began = performance.now();
    const status = await askBroker(client, signal, 'mmi.service', service);
    return { served: Number(status) === 200, ms: performance.now() - began };
  });
  if (settings.json) printJson({ service, served, ms });
  else {
    const what = served ? 'is served' : 'has no worker';
    process.stdout.write(`${shownName(service)} ${what}; the broker answered in ${duration(ms)}\n`);
  }
  return served ? 0 : 1;
}

exports.help = help;
exports.options = QUERY_OPTIONS;
exports.run = run;
