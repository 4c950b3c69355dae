'use strict';

const { createHistogram } = require('node:perf_hooks');
const { QUERY_OPTIONS, QUERY_HELP, withClient } = require('./asking');
const { Usage } = require('./failure');
const { confOf, helpLine } = require('./options');
const { printJson, printable } = require('./output');
const { checked, readSettings } = require('./settings');

const help = `Usage: zmq-omdp bench SERVICE [OPTION…]

Makes requests for SERVICE, a constant number at a time. Prints the requests per second, their times, and the number of
failures. The exit code is 1 if all requests fail.

${helpLine(undefined, 'clients', 'N', 'the number of clients, all in this process (1)')}${helpLine(undefined, 'in-flight', 'N', 'the number of outstanding requests of each client (64)')}${helpLine(undefined, 'size', 'BYTES', 'the size of the data, which is a string (16)')}${helpLine(undefined, 'seconds', 'N', 'the duration (10)')}${QUERY_HELP}`;

/** @type {import('./settings').Options} */
const OPTIONS = {
  ...QUERY_OPTIONS,
  clients: { type: 'number', value: 1 },
  inFlight: { type: 'number', value: 64 },
  size: { type: 'number', value: 16 },
  seconds: { type: 'number', value: 10 },
};

/** @param {string[]} args @returns {Promise<number>} */
async function run(args) {
  const { settings, positionals } = readSettings(OPTIONS, args);
  const [service, extra] = positionals;
  if (service === undefined) throw new Usage('bench needs a SERVICE');
  if (extra !== undefined) throw new Usage(`bench takes one SERVICE, but also got "${extra}"`);
  for (const [flag, value, min] of [
    ['--clients', settings.clients, 1],
    ['--in-flight', settings.inFlight, 1],
    ['--size', settings.size, 0],
    ['--seconds', settings.seconds, 0.01],
  ]) {
    if (!(value >= min) || (flag !== '--seconds' && !Number.isInteger(value)))
      throw new Usage(`${flag} must be a number from ${min}, got "${value}"`);
  }
  const result = await withClient(settings, (client, signal) => measure(client, signal, service, settings));
  if (result === undefined) return 1;
  if (settings.json) printJson(result);
  else process.stdout.write(describe(result));
  return result.ended === 0 ? 1 : 0;
}

/**
 * @param {import('../client').Client} first
 * @param {AbortSignal} signal
 * @param {string} service
 * @param {Record<string, any>} settings
 */
async function measure(first, signal, service, settings) {
  const { Client } = require('../client');
  const { clients, inFlight, size, seconds } = settings;
  const conf = { ...confOf('client', settings) };
  // Clients cannot share a name.
  delete conf.name;
  const others = Array.from({ length: clients - 1 }, () => checked(() => new Client(settings.broker, conf)));
  await Promise.all(others.map((client) => client.start()));
  const times = createHistogram();
  const data = 'x'.repeat(size);
  /** @type {Record<string, number>} */
  const errors = {};
  let ended = 0;
  const began = performance.now();
  const until = began + seconds * 1000;
  /** @param {import('../client').Client} client */
  const keepAsking = async (client) => {
    while (performance.now() < until && !signal.aborted) {
      const at = performance.now();
      try {
        await client.call(service, data, { signal });
        times.record(Math.max(1, Math.round((performance.now() - at) * 1e6)));
        ended += 1;
      } catch (error) {
        if (signal.aborted) return;
        const { code, name } = /** @type {any} */ (error);
        const key = code ?? name;
        errors[key] = (errors[key] ?? 0) + 1;
      }
    }
  };
  const progress =
    process.stderr.isTTY &&
    setInterval(() => {
      const passed = (performance.now() - began) / 1000;
      process.stderr.write(`\r${passed.toFixed(0)} s: ${(ended / passed).toFixed(0)} requests/s `);
    }, 1000);
  try {
    await Promise.all(
      [first, ...others].flatMap((client) => Array.from({ length: inFlight }, () => keepAsking(client))),
    );
  } finally {
    if (progress) {
      clearInterval(progress);
      process.stderr.write('\r\x1b[K');
    }
    await Promise.all(others.map((client) => client.stop()));
  }
  const passed = (performance.now() - began) / 1000;
  const [p50, p95, p99] = [50, 95, 99].map((percent) => (ended === 0 ? 0 : times.percentile(percent) / 1e6));
  return {
    service,
    clients,
    inFlight,
    size,
    seconds: passed,
    ended,
    perSecond: ended / passed,
    p50,
    p95,
    p99,
    errors,
  };
}

/** @param {Awaited<ReturnType<typeof measure>>} result */
function describe({ service, ended, seconds, perSecond, p50, p95, p99, errors }) {
  const failed = Object.entries(errors).map(([code, count]) => `${count} ${code}`);
  return [
    `${printable(service)}: ${ended} requests in ${seconds.toFixed(1)} s, ${perSecond.toFixed(0)} a second`,
    `ms: median ${p50.toFixed(3)}, 95 % ${p95.toFixed(3)}, 99 % ${p99.toFixed(3)}`,
    `errors: ${failed.length === 0 ? 'none' : printable(failed.join(', '))}`,
    '',
  ].join('\n');
}

exports.help = help;
exports.options = OPTIONS;
exports.run = run;
