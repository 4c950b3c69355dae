'use strict';
// Requests to all workers of a service: the broker sends each a copy, and the answers are the parts of one
// reply.

const { defined } = require('./checks');
const { onlyEndpoint } = require('./endpoints');
const { OmdpError, RemoteError } = require('./errors');
const { ALL_PREFIX, ANSWER_BINARY, ANSWER_ERROR, ANSWER_OWN } = require('./load');
const { optionsOf } = require('./option-table');
const { checkOptions } = require('./options');

/** @import { Client } from './client' */
/** @import { Context } from './errors' */

/**
 * The answer of a worker, or why there is none.
 * @typedef {{ worker: string, value: any } | { worker: string, error: Error }} Answer
 */

/** The options of a request that the requests to all workers lack. */
const NAMES = optionsOf('callAll').map(({ name }) => name);
const LACKING = optionsOf('request').flatMap(({ name }) => (NAMES.includes(name) ? [] : [name]));

/**
 * @param {any} options
 * @returns {{ timeout: number, stall: number, max?: number, [option: string]: unknown }} -1 means no limit
 */
function checkCallAll(options) {
  const given = defined(options);
  const lacking = LACKING.find((name) => Object.hasOwn(given ?? {}, name));
  if (lacking !== undefined) throw new TypeError(`option "${lacking}" cannot be used with callAll()`);
  return checkOptions('callAll', given);
}

/** @param {Buffer} part @param {() => Context} request @returns {Answer} */
function answerIn(part, request) {
  const flags = part[0];
  const end = 2 + part[1];
  const worker = part.toString('utf8', 2, end);
  const bytes = part.subarray(end);
  const value = (flags & ANSWER_BINARY) !== 0 ? bytes : JSON.parse(bytes.toString());
  if ((flags & (ANSWER_OWN | ANSWER_ERROR)) === 0) return { worker, value };
  const context = { ...request(), worker };
  return {
    worker,
    error: (flags & ANSWER_OWN) !== 0 ? new OmdpError(value, context) : new RemoteError(value, context),
  };
}

/**
 * Makes the request at once, so that wrong options and data are refused at the call, and data may change after it.
 * @param {Client} client
 * @param {string} service
 * @param {unknown} data
 * @param {ReturnType<typeof checkCallAll>} options
 * @returns {AsyncGenerator<Answer, void, void>}
 */
function callAll(client, service, data, { timeout, stall, max = Infinity, ...rest }) {
  const stream = client.requestStream(ALL_PREFIX + service, data, { ...rest, timeout: -1 });
  const since = performance.now();
  const endpoint = onlyEndpoint(client.endpoints);
  const context = () => ({
    service,
    rid: stream.rid,
    elapsed: Math.round(performance.now() - since),
    endpoint,
  });
  let over = false;
  const end = () => {
    over = true;
    stream.destroy();
  };
  const whole = timeout === -1 ? undefined : setTimeout(end, timeout);
  stream.once('close', () => clearTimeout(whole));

  async function* iterate() {
    /** @type {NodeJS.Timeout | undefined} */
    let quiet;
    let count = 0;
    try {
      for await (const part of stream) {
        if (!Buffer.isBuffer(part)) throw new Error('the broker does not support callAll()');
        clearTimeout(quiet);
        yield answerIn(part, context);
        count += 1;
        if (count >= max) return;
        if (stall !== -1) quiet = setTimeout(end, stall);
      }
    } catch (error) {
      if (!over) throw error;
    } finally {
      clearTimeout(quiet);
    }
  }

  const answers = iterate();
  // A generator that has not started, or that waits for an answer, would not end the request.
  const leave = answers.return.bind(answers);
  answers.return = (value) => {
    end();
    return leave(value);
  };
  return answers;
}

exports.callAll = callAll;
exports.checkCallAll = checkCallAll;
