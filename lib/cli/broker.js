'use strict';

const { Failure, Usage } = require('./failure');
const { httpSettings, prepareHttp } = require('./http');
const { Log } = require('./log');
const { LOG_SETTINGS, confOf, helpFor, helpLine, logHelp, settingsOf } = require('./options');
const { usersOf, withoutSecrets } = require('./secrets');
const { checked, readSettings } = require('./settings');
const { onSignals } = require('./signals');

const HTTP_HELP =
  helpLine(
    undefined,
    'http',
    'HOST:PORT',
    'serve metrics, health and a page at this address, such as 127.0.0.1:9464',
  ) +
  helpLine(undefined, 'http-token-file', 'FILE', 'require the bearer token in this file over HTTP') +
  helpLine(
    undefined,
    'http-max-workers',
    'N',
    'the number of workers with separate metrics over HTTP (200)',
  ) +
  helpLine(undefined, 'http-interval', 'MS', 'the interval at which the page is updated (2000)');

const help = `Usage: zmq-omdp broker [OPTION…]

Runs a broker until SIGINT or SIGTERM, and prints its endpoints to stderr.

With --http it serves /metrics, /healthz, /readyz, /stats.json and a page. Other machines can connect only if HOST is
0.0.0.0, or an address that they can reach. A token protects the metrics and the contents of the page.

${helpLine('b', 'bind', 'URL', 'an endpoint to bind; may be repeated (tcp://127.0.0.1:5555)')}${HTTP_HELP}${helpFor('broker')}${helpLine(
  'c',
  'config',
  'FILE',
  'a JSON object with these options, their names in camel case',
)}${logHelp(
  'log start and stop, workers and clients that come and go, and requests that expire',
  'log everything, including each request when it has ended; above 2000 requests a second a sample of them',
)}${helpLine('h', 'help', '', 'print this text')}
Each option may also be an environment variable: ZMQ_OMDP_BIND, ZMQ_OMDP_BUSY_TIMEOUT, …; lists are separated by commas.
The command line has precedence over the environment, and the environment over the file. Two members are only in the
file: "services" has the policies and rates of services, and "security" the rules. At SIGHUP the file is read again, and its rules
replace the old ones. Secrets are read from files or
from ZMQ_OMDP_CURVE_SECRET_KEY, never from arguments.
`;

/** @type {import('./settings').Options} */
const OPTIONS = {
  bind: { type: 'list', short: 'b', value: ['tcp://127.0.0.1:5555'] },
  http: { type: 'string' },
  httpToken: { type: 'string', from: ['environment', 'file'] },
  httpTokenFile: { type: 'string' },
  httpMaxWorkers: { type: 'number' },
  httpInterval: { type: 'number' },
  ...settingsOf('broker'),
  config: { type: 'string', short: 'c' },
  ...LOG_SETTINGS,
};

/** @param {string[]} args @returns {Promise<number>} */
async function run(args) {
  const { settings, positionals } = readSettings(OPTIONS, args);
  const [extra] = positionals;
  if (extra !== undefined) throw new Usage(`broker takes no argument, got "${extra}"`);
  const log = new Log(settings);
  const conf = confOf('broker', settings);
  // A broker with its own secret key requires CURVE.
  if (conf.curveSecretKey !== undefined) conf.curveServer = true;
  // Requests are logged when they end.
  if (settings.debug) conf.logRequests = true;
  const http = httpSettings(settings);
  const { Broker } = require('../broker');
  const broker = checked(() => new Broker(settings.bind, conf), 'bind');
  watch(broker, log);
  const page = http && prepareHttp(broker, http, conf);
  const stopped = new Promise((resolve) => broker.once('stop', resolve));
  const unsignal = onSignals((signal) => {
    log.write('info', 'signal', { signal });
    broker.stop();
  });
  const onHangUp = () => reload(broker, args, log);
  // On Windows SIGHUP means that the console closes, which ends the process in any case.
  if (process.platform !== 'win32') process.on('SIGHUP', onHangUp);
  const release = () => {
    unsignal();
    process.off('SIGHUP', onHangUp);
  };
  try {
    await broker.start();
  } catch (error) {
    release();
    await page?.end();
    throw new Failure(/** @type {Error} */ (error).message);
  }
  log.tell('listening', { endpoints: broker.endpoints });
  try {
    if (page !== undefined) log.tell('http', { url: await page.serve() });
  } catch (error) {
    release();
    await page?.end();
    await broker.stop();
    throw new Failure(`--http: ${/** @type {Error} */ (error).message}`);
  }
  log.write('debug', 'configured', withoutSecrets(settings));
  await stopped;
  await page?.end();
  release();
  log.write('info', 'stopped');
  return 0;
}

/**
 * Reads the rules from the config file again. If they are invalid, logs the error and keeps the present ones.
 * @param {import('../broker').Broker} broker
 * @param {string[]} args
 * @param {Log} log
 */
function reload(broker, args, log) {
  try {
    const rules = readSettings(OPTIONS, args).settings.security;
    // Without rules CURVE admits everyone, which must be deliberate.
    if (rules === undefined) throw new Usage('the config file has no "security"');
    checked(() => broker.allow(rules));
    log.write('info', 'reloaded', { users: usersOf(rules) });
  } catch (error) {
    log.write('error', 'reloadFailed', { message: /** @type {Error} */ (error).message });
  }
}

/**
 * @param {import('node:events').EventEmitter & { endpoints: readonly string[] }} broker
 * @param {Log} log
 */
function watch(broker, log) {
  broker.on('start', () => log.write('info', 'started', { endpoints: broker.endpoints }));
  broker.on('workerReady', (event) => log.write('info', 'workerReady', event));
  broker.on('workerGone', (event) => log.write(event.lost > 0 ? 'warn' : 'info', 'workerGone', event));
  broker.on('clientGone', (event) =>
    log.write(event.reason === 'too slow' ? 'warn' : 'info', 'clientGone', event),
  );
  broker.on('requestRejected', (event) => log.write('info', 'requestRejected', event));
  broker.on('queueFull', (event) => log.write('warn', 'queueFull', event));
  broker.on('limitReached', (event) => log.write('warn', 'limitReached', event));
  broker.on('requestExpired', (event) => log.write('info', 'requestExpired', event));
  broker.on('peerRefused', (event) => log.write('warn', 'peerRefused', event));
  broker.on('denied', (event) => log.write('warn', 'denied', event));
  broker.on('badMessage', (event) => log.write('warn', 'badMessage', event));
  broker.on('descriptorsExhausted', (event) => log.write('warn', 'descriptorsExhausted', event));
  broker.on('requestEnded', (event) => log.tell('request', event));
}

exports.help = help;
exports.options = OPTIONS;
exports.run = run;
