'use strict';

const { performance } = require('node:perf_hooks');
const { OmdpError, RemoteError } = require('./errors');
const { WorkerOp } = require('./load');
const { begin, finish, handlings: channel, sizeOf } = require('./tracing');
const { LongString } = require('./values');

/** @import { Message } from './tracing' */
/** @import { Body } from './values' */

const OP_ERROR = WorkerOp.Error;
const OP_REJECT = WorkerOp.Reject;

/** The messages of deliveries for subscribers of the channels. */
class DeliveryTraces {
  /** @type {Map<number, Message>} */
  #messages = new Map();

  get size() {
    return this.#messages.size;
  }

  /**
   * @param {number} id
   * @param {string} service
   * @param {string} worker its name
   * @param {any} options
   * @param {number} size
   * @param {() => void} handle
   */
  begin(id, service, worker, options, size, handle) {
    const { attempt, headers, timeout, user } = options;
    /** @type {Message} */
    const message = {
      service,
      worker,
      delivery: String(id),
      attempt,
      headers,
      timeout,
      user,
      size,
      partials: 0,
      replySize: 0,
      startTime: performance.now(),
    };
    this.#messages.set(id, message);
    begin(channel, message, handle);
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

  /** @param {number} id @param {number} op @param {Body} body */
  replied(id, op, body) {
    const message = this.#messages.get(id);
    if (message === undefined) return;
    message.replySize += sizeOf(body);
    if (message.cancelled !== undefined) this.finish(id, message.cancelled);
    else if (op === OP_REJECT) this.finish(id, 'W_REJECTED');
    else if (op === OP_ERROR) this.finish(id, undefined, valueIn(body));
    else this.finish(id);
  }

  /** @param {number} id @param {string} [code] @param {unknown} [value] the value of the reply */
  finish(id, code, value) {
    const message = this.#messages.get(id);
    if (message === undefined) return;
    this.#messages.delete(id);
    if (code !== undefined) message.error ??= new OmdpError(code, contextOf(message));
    else if (value !== undefined) message.error ??= new RemoteError(value, contextOf(message));
    if (message.error !== undefined) message.code = message.error.code;
    finish(channel, message);
  }

  /** @param {string} code */
  clear(code) {
    for (const id of this.#messages.keys()) this.finish(id, code);
  }
}

/** @param {Message} message */
function contextOf({ service, attempt, startTime = 0 }) {
  return { service, attempt, elapsed: Math.round(performance.now() - startTime) };
}

/** Decodes a body. @param {Body} body @returns {unknown} */
function valueIn(body) {
  if (typeof body === 'string') return JSON.parse(body);
  return body instanceof LongString ? body.text : body;
}

exports.DeliveryTraces = DeliveryTraces;
