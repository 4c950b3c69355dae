'use strict';

const { createHistogram } = require('node:perf_hooks');
const { QUERY_OPTIONS, QUERY_HELP, clientConf, withClient } = require('./asking');
const { Usage } = require('./failure');
const { helpLine } = require('./options');
const { printJson, printable, shownName } = require('./output');
const { checked, readSettings } = require('./settings');

const help = `Usage: zmq-omdp bench SERVICE [OPTION…]

Makes requests for SERVICE, a constant number at a time. Prints the requests per second, their times, and the number of
failures, with each message once. The exit code is 1 if all requests fail.

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
      throw new Usage(
        `${flag} must be ${flag === '--seconds' ? 'a number' : 'an integer'} from ${min}, got "${value}"`,
      );
  }
  const result = await withClient(settings, (client, signal) => measure(client, signal, service, settings));
  if (settings.json) printJson(result);
  else process.stdout.write(describe(result));
  return result.replies === 0 ? 1 : 0;
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
  const conf = clientConf(settings);
  // Clients cannot share a name.
  delete conf.name;
  const others = Array.from({ length: clients - 1 }, () => checked(() => new Client(settings.broker, conf)));
  await Promise.all(others.map((client) => client.start()));
  const times = createHistogram();
  const data = 'x'.repeat(size);
  const failures = new Failures();
  let replies = 0;
  const began = performance.now();
  const until = began + seconds * 1000;
  /** @param {import('../client').Client} client */
  const keepAsking = async (client) => {
    while (performance.now() < until && !signal.aborted) {
      const at = performance.now();
      try {
        await client.call(service, data, { signal });
        times.record(Math.max(1, Math.round((performance.now() - at) * 1e6)));
        replies += 1;
      } catch (error) {
        if (signal.aborted) return;
        failures.add(error);
      }
    }
  };
  const hideRate = showRate(began, () => replies);
  try {
    await Promise.all(
      [first, ...others].flatMap((client) => Array.from({ length: inFlight }, () => keepAsking(client))),
    );
  } finally {
    hideRate();
    await Promise.all(others.map((client) => client.stop()));
  }
  const passed = (performance.now() - began) / 1000;
  const [p50, p95, p99] = [50, 95, 99].map((percent) =>
    replies === 0 ? null : times.percentile(percent) / 1e6,
  );
  return {
    service,
    clients,
    inFlight,
    size,
    seconds: passed,
    ended: replies + failures.count,
    replies,
    failures: failures.count,
    perSecond: replies / passed,
    p50,
    p95,
    p99,
    errors: failures.codes,
    messages: failures.messages,
  };
}

/**
 * Shows the rate on a terminal, until the returned function is called.
 * @param {number} began
 * @param {() => number} replies
 */
function showRate(began, replies) {
  if (!process.stderr.isTTY) return () => {};
  const timer = setInterval(() => {
    const passed = (performance.now() - began) / 1000;
    process.stderr.write(`\r${passed.toFixed(0)} s: ${(replies() / passed).toFixed(0)} requests/s `);
  }, 1000);
  return () => {
    clearInterval(timer);
    process.stderr.write('\r\x1b[K');
  };
}

/** How many different messages of errors are counted; those of the others are not printed. */
const MAX_MESSAGES = 10;

/** The failures of requests, by code and by message. */
class Failures {
  count = 0;
  /** @type {Record<string, number>} */
  codes = {};
  /** @type {{ code: string, message: string, count: number }[]} */
  messages = [];

  /** @param {any} error */
  add({ code: given, name, message }) {
    const code = String(given ?? name);
    this.count += 1;
    this.codes[code] = (this.codes[code] ?? 0) + 1;
    const same = this.messages.find((each) => each.code === code && each.message === message);
    if (same !== undefined) same.count += 1;
    else if (this.messages.length < MAX_MESSAGES) this.messages.push({ code, message, count: 1 });
  }
}

/** @param {number | null} ms */
function timeOf(ms) {
  return ms === null ? 'none' : ms.toFixed(3);
}

/** @param {Awaited<ReturnType<typeof measure>>} result */
function describe({ service, ended, failures, seconds, perSecond, p50, p95, p99, errors, messages }) {
  const codes = Object.entries(errors).map(([code, count]) => `${count} ${code}`);
  const rate = `${perSecond.toFixed(0)}${failures === 0 ? '' : ' replies'} a second`;
  const ofThem = failures === 0 ? '' : `, ${failures} failures`;
  return [
    `${shownName(service)}: ${ended} requests in ${seconds.toFixed(1)} s, ${rate}${ofThem}`,
    `ms: median ${timeOf(p50)}, 95 % ${timeOf(p95)}, 99 % ${timeOf(p99)}`,
    `errors: ${codes.length === 0 ? 'none' : printable(codes.join(', '))}`,
    ...messages.map(({ code, message, count }) => `  ${count} × ${printable(`${code}: ${message}`)}`),
    '',
  ].join('\n');
}

exports.help = help;
exports.options = OPTIONS;
exports.run = run;
