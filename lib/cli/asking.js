'use strict';
// The common part of the commands that query a broker through its ordinary endpoint.

const { Failure, Interrupted } = require('./failure');
const { confOf, helpFor, helpLine, settingsOf } = require('./options');
const { onReaderGone } = require('./reader');
const { checked } = require('./settings');
const { codeOf, onSignals } = require('./signals');

/** The default timeout of a query in ms: brokers answer at once. */
const PATIENCE = 5000;

/** @type {import('./settings').Options} */
const QUERY_OPTIONS = {
  broker: { type: 'string', short: 'b', value: 'tcp://127.0.0.1:5555' },
  ...settingsOf('client'),
  json: { type: 'flag', short: 'j', value: false },
};

const QUERY_HELP =
  helpLine('b', 'broker', 'URL', 'the endpoint of the broker (tcp://127.0.0.1:5555)') +
  helpFor('client', { timeout: PATIENCE }) +
  helpLine('j', 'json', '', 'print JSON') +
  helpLine('h', 'help', '', 'print this text');

/** Why the broker of a client could not be reached, as far as is known. @type {WeakMap<object, string>} */
const REASONS = new WeakMap();

/** The options of a client that queries a broker. @param {Record<string, any>} settings @returns {Record<string, any>} */
function clientConf(settings) {
  return { timeout: PATIENCE, ...confOf('client', settings) };
}

/**
 * Starts a client for `work`, and stops it afterwards or when the user interrupts. Throws `Interrupted` in that case,
 * unless `work` returns.
 * @template T
 * @param {Record<string, any>} settings
 * @param {(client: import('../client').Client, ended: AbortSignal) => Promise<T>} work
 * @returns {Promise<T>}
 */
async function withClient(settings, work) {
  const { Client } = require('../client');
  const client = checked(() => new Client(settings.broker, clientConf(settings)));
  client.on('unreachable', ({ reason }) => {
    REASONS.set(client, reason);
  });
  const controller = new AbortController();
  /** @param {number} code */
  const end = (code) => controller.abort(new Interrupted(code));
  const releases = [onSignals((signal) => end(codeOf(signal))), onReaderGone(() => end(0))];
  /** @type {Promise<never>} */
  const refused = new Promise((_resolve, reject) => {
    client.on('error', ({ code, reason, message }) => {
      reject(new Failure(reason === undefined ? message : `${code}: ${reason}`));
    });
  });
  // A start that fails rejects both promises, and is reported before this one is awaited.
  refused.catch(() => {});
  try {
    await client.start();
    return await Promise.race([work(client, controller.signal), refused]);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    for (const release of releases) release();
    await client.stop();
  }
}

/**
 * @param {import('../client').Client} client
 * @param {AbortSignal} signal
 * @param {string} service one of the broker's own
 * @param {unknown} [data]
 * @returns {Promise<any>}
 */
async function askBroker(client, signal, service, data = null) {
  try {
    const answer = await client.call(service, data, { signal });
    // The MMI answer for an unknown service.
    if (answer === 501) throw new Failure(`the broker does not support ${service}`);
    return answer;
  } catch (error) {
    const { code, message } = /** @type {{ code?: string, message: string }} */ (error);
    if (code === 'C_TIMEOUT') {
      const [, missing] = /: (no broker at .*)$/s.exec(message) ?? [];
      const reason = REASONS.get(client) ?? missing;
      const why = reason === undefined ? '' : `: ${reason}`;
      throw new Failure(`C_TIMEOUT: the broker does not answer${why}`, code);
    }
    if (code === 'B_DENIED') throw new Failure(`B_DENIED: the user may not call ${service}`);
    if (code === undefined || signal.aborted) throw error;
    throw new Failure(`${code}: ${message}`, code);
  }
}

/** Failures of a broker that is away, and may come back. */
const PASSING = new Set(['C_TIMEOUT', 'B_LOST', 'C_SLOW']);

/**
 * The queries of a command that continues while the broker is away, as during a restart. Only a failure of the
 * first query ends the command.
 */
class Follower {
  #client;
  #signal;
  #onSilence;
  #known = false;

  /**
   * @param {import('../client').Client} client
   * @param {AbortSignal} signal
   * @param {(reason: string) => void} onSilence called once for each time the broker is away
   */
  constructor(client, signal, onSilence) {
    this.#client = client;
    this.#signal = signal;
    this.#onSilence = onSilence;
  }

  /** @param {string} service @param {unknown} [data] @returns {Promise<any>} */
  async ask(service, data) {
    for (let told = false; ; ) {
      try {
        const answer = await askBroker(this.#client, this.#signal, service, data);
        this.#known = true;
        return answer;
      } catch (error) {
        const { code, message } = /** @type {{ code?: string, message: string }} */ (error);
        if (!this.#known || this.#signal.aborted || !PASSING.has(String(code))) throw error;
        if (!told) this.#onSilence(message);
        told = true;
      }
    }
  }
}

/**
 * Runs a command that goes on until the user ends it, which is success.
 * @param {() => Promise<void>} work
 * @returns {Promise<number>} the exit code
 */
async function untilInterrupted(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
  }
  return 0;
}

exports.QUERY_OPTIONS = QUERY_OPTIONS;
exports.QUERY_HELP = QUERY_HELP;
exports.Follower = Follower;
exports.askBroker = askBroker;
exports.clientConf = clientConf;
exports.untilInterrupted = untilInterrupted;
exports.withClient = withClient;
