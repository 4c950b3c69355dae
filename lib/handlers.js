'use strict';

const { OmdpError, emitError } = require('./errors');
const { internals } = require('./reply');
const { begin, handlings: channel } = require('./tracing');

/** @import { Peer } from './peer' */
/** @import { Reply } from './reply' */
/** @import { Message } from './tracing' */

const { cancelled, fail, handlerBegan, handlerEnded } = internals;

/** Calls the handlers of a worker, and takes care of their errors. */
class Handlers {
  #peer;
  #given;

  /**
   * @param {Peer} peer the worker
   * @param {readonly Function[] | undefined} given one for each service, instead of listeners of `request`
   */
  constructor(peer, given) {
    this.#peer = peer;
    this.#given = given;
  }

  /** @param {number} service its number @returns {Function[]} */
  of(service) {
    return this.#given === undefined ? this.#peer.rawListeners('request') : [this.#given[service]];
  }

  /**
   * @param {Function[]} listeners
   * @param {any} data
   * @param {Reply} reply
   * @param {any} options
   */
  run(listeners, data, reply, options) {
    const peer = this.#peer;
    // Not emit(), because the result of each listener is needed. The raw listeners of once() remove
    // themselves.
    for (const listener of listeners) {
      try {
        const result = listener.call(peer, data, reply, options);
        if (typeof result?.then === 'function') this.#await(result, reply);
      } catch (error) {
        this.#handlerFailed(reply, error);
      }
    }
  }

  /**
   * As run(), within the events of the channel.
   * @param {Message} message
   * @param {Function[]} listeners
   * @param {any} data
   * @param {Reply} reply
   * @param {any} options
   */
  runTraced(message, listeners, data, reply, options) {
    begin(channel, message, this.#runBegun, this, listeners, data, reply, options);
  }

  /**
   * @param {Message} _message
   * @param {Function[]} listeners
   * @param {any} data
   * @param {Reply} reply
   * @param {any} options
   */
  #runBegun(_message, listeners, data, reply, options) {
    this.run(listeners, data, reply, options);
  }

  /** @param {PromiseLike<unknown>} result @param {Reply} reply */
  #await(result, reply) {
    handlerBegan(reply);
    result.then(
      () => handlerEnded(reply),
      (error) => {
        // An error because of the cancellation is no failure of the handler: its reason, or that of an operation
        // that was given `reply.signal`.
        const told = error instanceof OmdpError || error?.name === 'AbortError';
        if (!told || !cancelled(reply)) this.#handlerFailed(reply, error);
        handlerEnded(reply);
      },
    );
  }

  /** @param {Reply} reply @param {unknown} error */
  #handlerFailed(reply, error) {
    fail(reply, error);
    this.report(error);
  }

  /** @param {unknown} error */
  report(error) {
    emitError(this.#peer, error);
  }
}

exports.Handlers = Handlers;
