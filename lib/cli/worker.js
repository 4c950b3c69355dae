'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { Failure, Usage } = require('./failure');
const { Log } = require('./log');
const { LOG_SETTINGS, confOf, helpFor, helpLine, logHelp, settingsOf } = require('./options');
const { environmentWithoutSecrets } = require('./secrets');
const { checked, readSettings } = require('./settings');
const { onSignals } = require('./signals');

const help = `Usage: zmq-omdp worker SERVICE [OPTION…] -- COMMAND [ARGUMENT…]

Serves SERVICE by running COMMAND for each request.

COMMAND reads the data of the request from stdin: strings and bytes as they are, other values as JSON. Its output is sent
as partials. If it exits with code 0, an empty final follows; otherwise the reply is the error value { message, code:
"COMMAND_FAILED", exitCode, signal, stderr }. If the request is cancelled, COMMAND gets SIGTERM.

At SIGINT or SIGTERM the worker accepts no new request and waits for the running ones; a second signal ends the wait.

${helpLine('b', 'broker', 'URL', 'the endpoint of the broker (tcp://127.0.0.1:5555)')}${helpFor('worker')}${logHelp('log requests and connections', 'log everything')}${helpLine('h', 'help', '', 'print this text')}
Environment: ZMQ_OMDP_BROKER, ZMQ_OMDP_PROTOCOL, ZMQ_OMDP_CONCURRENCY, ZMQ_OMDP_HEARTBEAT, ZMQ_OMDP_VERBOSE, …;
for secrets ZMQ_OMDP_CURVE_SECRET_KEY and ZMQ_OMDP_PLAIN_PASSWORD, which COMMAND does not get.
`;

/** @type {import('./settings').Options} */
const OPTIONS = {
  broker: { type: 'string', short: 'b', value: 'tcp://127.0.0.1:5555' },
  ...settingsOf('worker'),
  ...LOG_SETTINGS,
};

/** How many bytes of the end of stderr are in the error. */
const MAX_STDERR = 4096;

/** @param {string[]} args @returns {Promise<number>} */
async function run(args) {
  const end = args.indexOf('--');
  const rest = end === -1 ? [] : args.slice(end + 1);
  const { settings, positionals } = readSettings(OPTIONS, end === -1 ? args : args.slice(0, end));
  const [service, extra] = positionals;
  if (service === undefined) throw new Usage('worker needs a SERVICE');
  if (extra !== undefined)
    throw new Usage(`worker takes one SERVICE, but also got "${extra}"; COMMAND follows --`);
  if (rest.length === 0) throw new Usage('worker needs -- COMMAND');
  const log = new Log(settings);
  const { Worker } = require('../worker');
  const conf = confOf('worker', settings);
  const worker = checked(() => new Worker(settings.broker, service, conf));
  requireCommand(rest[0]);
  worker.on('request', (data, reply) => serve(rest, data, reply, log));
  for (const event of ['connect', 'disconnect']) {
    worker.on(event, (endpoint, reason) => log.write('info', event, { endpoint, reason }));
  }
  worker.on('error', ({ code, reason, message }) => {
    log.write('warn', 'error', { code, message: reason ?? message });
  });
  worker.on('badMessage', (event) => log.write('warn', 'badMessage', event));
  const stopped = new Promise((resolve) => worker.once('stop', resolve));
  const release = onSignals(
    (signal) => {
      log.write('info', 'signal', { signal });
      worker.stop();
    },
    () => worker.stop({ timeout: 0 }),
  );
  try {
    await worker.start();
  } catch (error) {
    release();
    throw new Failure(/** @type {Error} */ (error).message);
  }
  log.write('info', 'started', { service, command: rest });
  await stopped;
  release();
  log.write('info', 'stopped');
  return 0;
}

/**
 * Refuses a missing command before the first request.
 * @param {string} file
 */
function requireCommand(file) {
  // On Windows, file extensions and the shell determine what can be run.
  if (process.platform === 'win32') return;
  const places = file.includes('/') ? [''] : (process.env.PATH ?? '').split(path.delimiter);
  const found = places.some((place) => {
    const full = path.resolve(place, file);
    try {
      fs.accessSync(full, fs.constants.X_OK);
      return fs.statSync(full).isFile();
    } catch {
      return false;
    }
  });
  if (!found) throw new Usage(`COMMAND "${file}" does not exist or cannot be run`);
}

/**
 * @param {string[]} command
 * @param {unknown} data
 * @param {any} reply
 * @param {Log} log
 */
async function serve([file, ...args], data, reply, log) {
  const child = spawn(file, args, {
    stdio: 'pipe',
    env: environmentWithoutSecrets(process.env),
    signal: reply.signal,
    killSignal: 'SIGTERM',
  });
  /** @type {Promise<{ error?: Error, exitCode?: number | null, signal?: string | null }>} */
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve({ error }));
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal }));
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr = (stderr + text).slice(-MAX_STDERR);
  });
  // A command need not read its input.
  child.stdin.on('error', () => {});
  child.stdin.end(typeof data === 'string' || Buffer.isBuffer(data) ? data : JSON.stringify(data));
  try {
    for await (const chunk of child.stdout) {
      if (!reply.write(chunk)) await once(reply, 'drain', { signal: reply.signal });
    }
  } catch {
    // The reply is not wanted any longer; the command has been signalled.
  }
  const { error, exitCode, signal } = await ended;
  log.write('info', 'request', { exitCode, signal, error: error?.message });
  if (error === undefined && exitCode === 0) reply.end();
  else
    reply.error({
      message: messageOf(file, error, exitCode, signal),
      code: 'COMMAND_FAILED',
      exitCode,
      signal,
      stderr,
    });
}

/**
 * @param {string} file
 * @param {Error | undefined} error
 * @param {number | null | undefined} exitCode
 * @param {string | null | undefined} signal
 */
function messageOf(file, error, exitCode, signal) {
  if (error !== undefined) return error.message;
  return signal ? `${file} was ended by ${signal}` : `${file} ended with exit code ${exitCode}`;
}

exports.help = help;
exports.options = OPTIONS;
exports.run = run;
