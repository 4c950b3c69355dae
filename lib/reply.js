'use strict';

const { performance } = require('node:perf_hooks');
const { OmdpError, errorValue } = require('./errors');
const { build, built, construct, withListener } = require('./lazy');
const { DESTROYED } = require('./own-error-values');
const { encodeSafely, encodingIn, isTransferred } = require('./reply-arguments');
const {
  ReplyFlow,
  dropParts,
  forgetParts,
  addCredit,
  passes,
  release,
  sendPart,
  submitPart,
  waits,
} = require('./reply-flow');
const { parse } = require('./schema');
const { within } = require('./size');
const { transfer } = require('./transferred');
const { encode, owned } = require('./values');

/** @import { ReplyRecords } from './reply-records' */
/** @import { ServiceSchema } from './schema' */
/** @import { Scope } from './scope' */
/** @import { Body } from './values' */

/**
 * The functions for the worker of a reply, which its handlers do not have.
 * @typedef {object} Internals
 * @property {(reply: Reply, code: string) => void} cancel
 * @property {(reply: Reply) => boolean} cancelled
 * @property {(reply: Reply, code: string) => OmdpError} failure the failure of its request with a code, as it is now
 * @property {(reply: Reply, bytes: number) => void} credit
 * @property {(reply: Reply) => boolean} finishAtExit
 * @property {(reply: Reply, until: number) => void} setDeadline
 * @property {(reply: Reply, error: unknown) => void} fail
 * @property {(reply: Reply) => void} handlerBegan
 * @property {(reply: Reply) => void} handlerEnded
 */

/** @type {Internals} */
let internals;

/**
 * The reply to one request as an objectMode Writable: write() sends a partial, end() the final.
 *
 * Values are encoded when they are given, so that an unsendable value throws at the caller and the reply can
 * still be ended. The Writable's own queue contains the encoded bodies.
 *
 * The end and the cancellation are one class, because each determines what the other may still send.
 */
class Reply extends ReplyFlow {
  #delivery;
  #id;
  #service;
  #attempt;
  /** The end of its handler's time, by performance.now(). */
  #until = Infinity;
  /** When the delivery began. */
  #since;
  /** The number of running handlers whose end will be known. */
  #handlers = 0;
  /** The async context of its events, which the native side causes. */
  #scope;
  #ended = false;
  /** Whether FINAL or ERROR was submitted. */
  #sent = false;
  /** Whether a part was given. */
  #begun = false;
  /** Whether the submitted message was ERROR. */
  #failed = false;
  /** @type {Body} */
  #final = 'null';
  /** The error that ends the reply after the waiting parts. @type {Body | undefined} */
  #lastError;
  /** The code of the cancellation. @type {string | undefined} */
  #cancelled;
  /** The reason of the cancellation. @type {OmdpError | undefined} */
  #error;
  /** Whether it was destroyed because of the cancellation. */
  #abandoned = false;
  /** @type {AbortController | undefined} */
  #controller;

  static {
    internals = {
      cancel: (reply, code) => reply.#scope.runInAsyncScope(reply.#cancel, reply, code),
      cancelled: (reply) => reply.#cancelled !== undefined,
      failure: (reply, code) => reply.#failure(code),
      credit: (reply, bytes) => reply.#scope.runInAsyncScope(reply[addCredit], reply, bytes),
      finishAtExit: (reply) => reply.#finishAtExit(),
      setDeadline: (reply, until) => {
        reply.#until = until;
      },
      fail: (reply, error) => {
        reply.#delivery.threw(reply.#id, error);
        reply.#fail(encodeSafely(error));
      },
      handlerBegan: (reply) => reply.#handlerBegan(),
      handlerEnded: (reply) => reply.#handlerEnded(),
    };
  }

  /**
   * @param {ReplyRecords} delivery
   * @param {number} id
   * @param {string} service
   * @param {number} attempt
   * @param {Scope} scope the handler's
   * @param {number} since
   */
  constructor(delivery, id, service, attempt, scope, since) {
    super();
    this.#delivery = delivery;
    this.#id = id;
    this.#service = service;
    this.#attempt = attempt;
    this.#scope = scope;
    this.#since = since;
  }

  /** Whether the reply has ended: by end(), error() or destroy(). */
  get ended() {
    return this.#ended;
  }

  /** Whether the reply has not ended and is still wanted. */
  active() {
    return !this.#ended && this.#cancelled === undefined;
  }

  /** Milliseconds left until the request's deadline, 0 if it has passed; Infinity without a deadline. */
  get remaining() {
    return this.#until === Infinity ? Infinity : Math.max(0, Math.ceil(this.#until - performance.now()));
  }

  /** Aborts when the reply is not wanted any longer. */
  get signal() {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#cancelled !== undefined) this.#controller.abort(this.#reason());
    }
    return this.#controller.signal;
  }

  /** Tells the broker and the client that the worker is still working. */
  heartbeat() {
    if (this.active()) this.#delivery.heartbeat(this.#id);
  }

  /**
   * @param {any} chunk
   * @param {any} [encoding]
   * @param {any} [callback]
   * @override
   */
  write(chunk, encoding, callback) {
    const { schemas } = this.#delivery;
    if (schemas !== undefined) this.#parse(schemas, 'partial', chunk);
    const body = this.#take(chunk, encoding);
    this.#begun = true;
    const done = typeof encoding === 'function' ? encoding : callback;
    if (this.#abandoned) return this.#refuse(done);
    if (this.#ended || !this[passes]()) return super.write(owned(body), encodingIn(encoding), callback);
    this[sendPart](body);
    if (typeof done === 'function') process.nextTick(done, null);
    // Otherwise a loop that writes slowly would never wait for 'drain', and would not end.
    return this.#cancelled === undefined;
  }

  /**
   * @param {any} [chunk]
   * @param {any} [encoding]
   * @param {any} [callback]
   * @override
   */
  end(chunk, encoding, callback) {
    const done = [chunk, encoding, callback].find((each) => typeof each === 'function');
    if (this.#ended) return done === undefined ? this : super.end(done);
    const given = typeof chunk === 'function' ? undefined : chunk;
    const { schemas } = this.#delivery;
    if (schemas !== undefined) this.#parse(schemas, 'reply', given);
    const body = typeof chunk === 'function' ? 'null' : this.#take(chunk, encoding);
    this.#ended = true;
    if (this[built] || done !== undefined) {
      this.#final = owned(body);
      return super.end(done);
    }
    this.#final = body;
    this.#sendFinal();
    return this;
  }

  /** @param {Map<string, ServiceSchema>} schemas @param {'partial' | 'reply'} part @param {any} value */
  #parse(schemas, part, value) {
    parse(schemas.get(this.#service), part, this.#service, value ?? null);
  }

  /** @param {any} value @param {unknown} options or an encoding, which has no meaning here @returns {Body} */
  #take(value, options) {
    if (typeof options !== 'object' || options === null) return this.#encode(value);
    const moves = isTransferred(options);
    const body = this.#encode(value);
    // After the end it will not be taken.
    return moves && (!this.#ended || this.#abandoned) ? transfer(body) : body;
  }

  /** @param {any} value @returns {Body} */
  #encode(value) {
    return within(encode(value), this.#delivery.maxMessageSize);
  }

  /** @param {any} [error] */
  error(error) {
    if (!this.#ended) this.#fail(this.#encode(errorValue(error)));
  }

  /** @param {any} [reason] */
  reject(reason) {
    if (this.#ended) return;
    if (this.#begun) throw new Error('reply.reject() must come before any part of the reply');
    const body = this.#encode(errorValue(reason));
    this.#ended = true;
    this.#sent = true;
    this.#failed = true;
    const wanted = this.#cancelled === undefined;
    this.#delivery.reject(this.#id, wanted ? body : 'null', this.#since, wanted);
    if (this[built]) this.destroy();
  }

  [build]() {
    // Parts in the Writable's queue wait for the client.
    this[construct]({ objectMode: true, highWaterMark: 1 });
    if (this.#cancelled !== undefined && !this.#ended) this.#abandon();
    if (!this.#sent) return;
    // Ended before the stream was constructed: 'finish' and 'close', or only 'close', are emitted now.
    if (this.#failed) this.destroy();
    else super.end();
  }

  /** @param {Body} body @param {number} bytes @override */
  [submitPart](body, bytes) {
    if (!this.#sent && this.#cancelled === undefined) this.#delivery.partial(this.#id, body, bytes);
  }

  /** Ends a reply that has ended as a stream will not do any more. Returns whether everything was sent. */
  #finishAtExit() {
    this[release]();
    if (this[waits]) return false;
    if (this.#lastError === undefined) this.#sendFinal();
    else if (!this.#sent) this.#sendError(this.#lastError);
    return true;
  }

  #sendFinal() {
    if (this.#sent) return;
    this.#sent = true;
    // A cancelled final is not read, but it makes room for the worker's next request.
    const wanted = this.#cancelled === undefined;
    this.#delivery.final(this.#id, wanted ? this.#final : 'null', this.#since, wanted);
  }

  /** @param {Body} body */
  #sendError(body) {
    this.#ended = true;
    this.#sent = true;
    this.#failed = true;
    this.#delivery.error(this.#id, body, this.#since, this.#cancelled === undefined);
  }

  /** @param {Body} body */
  #fail(body) {
    if (this.#ended) return;
    if (this[built] && this.writableLength > 0) {
      // Earlier parts are sent first.
      this.#ended = true;
      this.#lastError = owned(body);
      super.end();
      return;
    }
    this.#sendError(body);
    if (this[built]) this.destroy();
  }

  /** @param {string} code */
  #cancel(code) {
    this.#cancelled ??= code;
    this[dropParts]();
    if (this.#controller !== undefined && !this.#ended) this.#controller.abort(this.#reason());
    if (this[built] && !this.#ended) this.#abandon();
    else this[release]();
  }

  /** As for an HTTP response whose client has gone: a stream that is piped into it ends, too. */
  #abandon() {
    this.#ended = true;
    this.#abandoned = true;
    this.destroy(this.#reason());
  }

  /**
   * Reports each write after the cancellation by 'error', for writers that wait for 'drain'.
   * @param {unknown} callback
   */
  #refuse(callback) {
    const reason = this.#reason();
    process.nextTick(() => {
      if (typeof callback === 'function') callback(reason);
      this.emit('error', reason);
    });
    return false;
  }

  #reason() {
    this.#error ??= this[withListener](this.#failure(/** @type {string} */ (this.#cancelled)));
    return this.#error;
  }

  /** @param {string} code */
  #failure(code) {
    return new OmdpError(code, {
      service: this.#service,
      attempt: this.#attempt,
      elapsed: Math.round(performance.now() - this.#since),
      endpoint: this.#delivery.endpoint,
    });
  }

  /** Counts a handler as running until the promise that it returned is settled. */
  #handlerBegan() {
    this.#handlers += 1;
  }

  #handlerEnded() {
    this.#handlers -= 1;
    if (this.#cancelled === undefined) return;
    // It could still end its reply later; but the reply is not wanted, so it would only occupy its place.
    if (!this.#ended) this.end();
    else if (this.destroyed && this.#handlers === 0) this.#sendFinal();
  }

  /** @param {(error?: Error | null) => void} done @override */
  _final(done) {
    if (this.#lastError !== undefined) {
      this.#sendError(this.#lastError);
      this.destroy();
      return;
    }
    this.#sendFinal();
    done();
  }

  /** @param {Error | null} error @param {(error?: Error | null) => void} done @override */
  _destroy(error, done) {
    if (this.#cancelled !== undefined && !this.#sent) {
      // The reply is not wanted. Its place becomes free when its handler has ended.
      this.#ended = true;
      if (this.#handlers === 0) this.#sendFinal();
      this[forgetParts]();
      done(error);
      return;
    }
    // Destroyed after end() and before the Writable has finished: the final stands, unless earlier parts were
    // not sent.
    if (this.#ended && this.writableLength === 0) this.#sendFinal();
    else if (!this.#sent) this.#sendError(this.#lastError ?? encodeSafely(error ?? DESTROYED));
    this[forgetParts]();
    done(error);
  }
}

exports.Reply = Reply;
exports.internals = /** @type {Internals} */ (internals);
