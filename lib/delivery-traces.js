'use strict';

const { performance } = require('node:perf_hooks');
const { OmdpError, RemoteError } = require('./errors');
const { WorkerOp } = require('./load');
const { Table } = require('./table');
const { finish, handlings: channel, sizeOf } = require('./tracing');
const { LongString } = require('./values');

/** @import { Message } from './tracing' */
/** @import { Body } from './values' */

const OP_ERROR = WorkerOp.Error;
const OP_REJECT = WorkerOp.Reject;

/** The messages of deliveries for subscribers of the channels. */
class DeliveryTraces {
  /** @type {Table<Message>} */
  #messages = new Table();

  get size() {
    return this.#messages.size;
  }

  /**
   * @param {number} id
   * @param {string | undefined} rid the client's id of the request
   * @param {string} service
   * @param {string} worker its name
   * @param {any} options
   * @param {number} size
   * @returns {Message}
   */
  add(id, rid, service, worker, options, size) {
    const { attempt, headers, timeout, user } = options;
    /** @type {Message} */
    const message = {
      service,
      worker,
      rid,
      delivery: String(id),
      attempt,
      headers,
      timeout,
      user,
      size,
      partials: 0,
      replySize: 0,
      startTime: performance.now(),
      duration: undefined,
    };
    this.#messages.add(id, message);
    return message;
  }

  /** @param {number} id @param {Body} body */
  partial(id, body) {
    const message = this.#messages.get(id);
    if (message === undefined) return;
    message.partials += 1;
    message.replySize += sizeOf(body);
  }

  /** @param {number} id @param {string} code */
  cancelled(id, code) {
    const message = this.#messages.get(id);
    if (message !== undefined) message.cancelled = code;
  }

  /** @param {number} id @param {unknown} error */
  threw(id, error) {
    const message = this.#messages.get(id);
    if (message !== undefined && message.cancelled === undefined && error instanceof Error)
      message.error = error;
  }

  /** Counts a part of the request's stream. @param {number} id @param {number} size */
  received(id, size) {
    const message = this.#messages.get(id);
    if (message !== undefined) message.size += size;
  }

  /** @param {number} id @param {number} op @param {Body} body */
  replied(id, op, body) {
    const message = this.#messages.get(id);
    if (message === undefined) return;
    message.replySize += sizeOf(body);
    this.#messages.delete(id);
    if (message.cancelled !== undefined) this.#finish(message, message.cancelled);
    else if (op === OP_REJECT) this.#finish(message, 'W_REJECTED');
    else if (op === OP_ERROR) this.#finish(message, undefined, valueIn(body));
    else this.#finish(message);
  }

  /** @param {number} id @param {string} code */
  failed(id, code) {
    const message = this.#messages.get(id);
    if (message === undefined) return;
    this.#messages.delete(id);
    message.cancelled ??= code;
    this.#finish(message, code);
  }

  /** @param {Message} message @param {string} [code] @param {unknown} [value] the value of the reply */
  #finish(message, code, value) {
    if (code !== undefined) {
      // The usual text tells of all workers.
      const text = code === 'W_REJECTED' ? 'the handler rejected the request' : undefined;
      message.error ??= new OmdpError(code, { ...contextOf(message), message: text });
    } else if (value !== undefined) message.error ??= new RemoteError(value, contextOf(message));
    if (message.error !== undefined) message.code = message.error.code;
    finish(channel, message);
  }

  /** @param {string} code */
  clear(code) {
    for (const message of this.#messages.clear()) this.#finish(message, code);
  }
}

/** @param {Message} message */
function contextOf({ service, rid, attempt, startTime = 0 }) {
  return { service, rid, attempt, elapsed: Math.round(performance.now() - startTime) };
}

/** Decodes a body. @param {Body} body @returns {unknown} */
function valueIn(body) {
  if (typeof body === 'string') return JSON.parse(body);
  return body instanceof LongString ? body.text : body;
}

exports.DeliveryTraces = DeliveryTraces;
