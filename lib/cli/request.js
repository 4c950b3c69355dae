'use strict';

const fs = require('node:fs');
const { buffer } = require('node:stream/consumers');
const { Failure, Usage } = require('./failure');
const { confOf, helpFor, helpLine, settingsOf } = require('./options');
const { jsonOf, printable } = require('./output');
const { onReaderGone } = require('./reader');
const { checkCount, checked, readSettings } = require('./settings');
const { codeOf, onSignals } = require('./signals');

const help = `Usage: zmq-omdp request SERVICE [DATA|-] [OPTION…]

Makes a request and prints each part of the reply when it arrives: strings and bytes as they are, other values as a
line of JSON, and null not at all.

DATA is sent as a string. With - as DATA, stdin is sent: as a string if it is text, as bytes otherwise. Without DATA, null
is sent.

The exit code is 0 on success, 1 after an error or a timeout, which is printed to stderr, and 2 for invalid arguments.

${helpLine('b', 'broker', 'URL', 'the endpoint of the broker (tcp://127.0.0.1:5555)')}${helpLine(
  'j',
  'json',
  '',
  'DATA is JSON, and each part is printed as a line of JSON',
)}${helpLine('H', 'header', 'NAME=VALUE', 'a header for the handler; may be repeated')}${helpLine(
  undefined,
  'count',
  'N',
  'the number of times to make the request, in sequence, also after failures (1)',
)}${helpLine(
  undefined,
  'stream',
  '',
  'read DATA from stdin, and read the reply only as fast as stdout accepts it',
)}${helpFor('request')}${helpFor('client')}${helpLine('h', 'help', '', 'print this text')}
Environment: ZMQ_OMDP_BROKER, ZMQ_OMDP_PROTOCOL, ZMQ_OMDP_CURVE_SERVER_KEY, …; for secrets
ZMQ_OMDP_CURVE_SECRET_KEY and ZMQ_OMDP_PLAIN_PASSWORD.
`;

/** @type {import('./settings').Options} */
const OPTIONS = {
  broker: { type: 'string', short: 'b', value: 'tcp://127.0.0.1:5555' },
  ...settingsOf('client'),
  ...settingsOf('request'),
  json: { type: 'flag', short: 'j', value: false },
  // Not a list, because those are split at commas, which a header may contain.
  header: { type: 'texts', short: 'H', from: ['line'] },
  count: { type: 'number', value: 1 },
  stream: { type: 'flag', value: false },
};

/** @param {string[]} args @returns {Promise<number>} */
async function run(args) {
  const { settings, positionals } = readSettings(OPTIONS, args);
  const [service, text, extra] = positionals;
  if (service === undefined) throw new Usage('request needs a SERVICE');
  if (extra !== undefined) throw new Usage(`request takes a SERVICE and DATA, but also got "${extra}"`);
  const { count } = settings;
  checkCount(count);
  const headers = readHeaders(settings.header);
  const { stream } = settings;
  const data = await readData(text ?? (stream ? '-' : undefined), settings.json);
  const { Client } = require('../client');
  const conf = confOf('client', settings);
  const client = checked(() => new Client(settings.broker, conf));
  const out = new Output(settings.json);
  const opts = { ...confOf('request', settings), ...(headers === undefined ? {} : { headers }) };
  // The exit code, once the command has been ended.
  /** @type {number | undefined} */
  let ended;
  /** @param {number} code */
  const end = (code) => {
    ended ??= code;
    client.stop();
  };
  const releases = [onSignals((signal) => end(codeOf(signal))), onReaderGone(() => end(0))];
  /** @type {Promise<never>} The client would try again; the user gets the error instead. */
  const refused = new Promise((_resolve, reject) => {
    client.on('error', ({ code, message, reason }) => {
      reject(new Failure(reason === undefined ? message : `${code}: ${reason}`));
    });
  });
  const make = stream ? follow : ask;
  const all = async () => {
    await client.start();
    let code = 0;
    for (let n = 0; n < count && ended === undefined; n += 1) {
      try {
        await make(client, service, data, opts, out);
      } catch (error) {
        // The others are made all the same.
        if (count === 1 || ended !== undefined || !(error instanceof RequestFailure)) throw error;
        code = 1;
        process.stderr.write(`zmq-omdp: ${printable(error.message)}\n`);
      }
    }
    return code;
  };
  try {
    const code = await Promise.race([all(), refused]);
    return ended ?? code;
  } catch (error) {
    if (ended !== undefined) return ended;
    throw error;
  } finally {
    for (const release of releases) release();
    await client.stop();
    out.end();
  }
}

/** A request that failed: the worker's error value, or the code and why. */
class RequestFailure extends Failure {
  /** @param {any} error @param {boolean} isJson whether values are printed as JSON */
  constructor(error, isJson) {
    const { code, message, value } = error;
    if (value === undefined) super(`${code}: ${message}`, code);
    else super(typeof value === 'string' && !isJson ? value : JSON.stringify(value), code);
  }
}

/**
 * @param {import('../client').Client} client
 * @param {string} service
 * @param {unknown} data
 * @param {Record<string, any>} opts
 * @param {Output} out
 * @returns {Promise<void>}
 */
function ask(client, service, data, opts, out) {
  return new Promise((resolve, reject) => {
    /** @param {unknown} _error @param {unknown} part */
    const onPart = (_error, part) => out.write(part);
    /** An error value may be null, too. @param {unknown} error @param {unknown[]} final */
    const onFinal = (error, ...final) => {
      if (error !== null || final.length === 0) return;
      out.write(final[0]);
      resolve();
    };
    const reply = checked(() => client.request(service, data, onPart, onFinal, opts));
    // The event carries the bare code.
    reply.on('error', () => reject(new RequestFailure(reply.errored, out.isJson)));
  });
}

/**
 * As `ask`, but with flow control: parts that are not read are not sent.
 * @param {import('../client').Client} client
 * @param {string} service
 * @param {unknown} data
 * @param {Record<string, any>} opts
 * @param {Output} out
 * @returns {Promise<void>}
 */
async function follow(client, service, data, opts, out) {
  const reply = checked(() => client.requestStream(service, data, opts));
  try {
    for await (const part of reply) {
      if (!out.write(part)) await drained();
    }
  } catch (error) {
    throw new RequestFailure(error, out.isJson);
  }
}

/** Waits until stdout takes more, or its reader is gone. @returns {Promise<void>} */
function drained() {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of ['drain', 'error', 'close']) process.stdout.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'error', 'close']) process.stdout.on(event, done);
  });
}

/** @param {string[] | undefined} given @returns {Record<string, string> | undefined} */
function readHeaders(given) {
  if (given === undefined) return undefined;
  return Object.fromEntries(
    given.map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw new Usage(`--header must be NAME=VALUE, got "${text}"`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

/** Whether stdin is a file that is not empty, or a pipe. */
function hasInput() {
  try {
    const stat = fs.fstatSync(0);
    return stat.isFIFO() || (stat.isFile() && stat.size > 0);
  } catch {
    return false;
  }
}

/** @param {string | undefined} text @param {boolean} json @returns {Promise<unknown>} */
async function readData(text, json) {
  if (text !== '-' && hasInput()) {
    const why = text === undefined ? '' : ', because DATA is given';
    process.stderr.write(`zmq-omdp: stdin is not read${why}; give - as DATA to send it\n`);
  }
  if (text === undefined) return null;
  const bytes = text === '-' ? await buffer(process.stdin) : Buffer.from(text);
  const string = bytes.toString();
  if (json) {
    try {
      return JSON.parse(string);
    } catch (error) {
      throw new Usage(`DATA is not JSON: ${/** @type {Error} */ (error).message}`);
    }
  }
  return Buffer.from(string).equals(bytes) ? string : bytes;
}

/** Prints the parts of a reply. */
class Output {
  #json;
  #open = false;

  /** @param {boolean} json */
  constructor(json) {
    this.#json = json;
  }

  get isJson() {
    return this.#json;
  }

  /** @param {unknown} part @returns {boolean} whether stdout takes more */
  write(part) {
    if (!this.#json && (typeof part === 'string' || Buffer.isBuffer(part))) return this.#raw(part);
    // A reply in parts ends with null, which is no output of a command, for example.
    if (!this.#json && part === null) return true;
    return process.stdout.write(`${jsonOf(part)}\n`);
  }

  /** @param {string | Buffer} part @returns {boolean} */
  #raw(part) {
    if (part.length === 0) return true;
    this.#open = part.at(-1) !== '\n' && part.at(-1) !== 10;
    return process.stdout.write(part);
  }

  /** On a terminal the prompt has to begin on a new line. */
  end() {
    if (this.#open && process.stdout.isTTY) process.stdout.write('\n');
  }
}

exports.help = help;
exports.options = OPTIONS;
exports.run = run;
