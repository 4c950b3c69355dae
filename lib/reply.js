'use strict';

const { OmdpError, errorValue } = require('./errors');
const { WINDOW, cost } = require('./flow');
const { LazyWritable, build, built, construct } = require('./lazy');
const { within } = require('./size');
const { encode } = require('./values');

/** @import { Scope } from './scope' */
/** @typedef {import('./values').Body} Body */

/**
 * What a reply has to do with its worker.
 * @typedef {object} Delivery
 * @property {number} maxMessageSize the largest body that may be sent
 * @property {(id: number, body: Body, cost: number) => void} partial
 * @property {(id: number, body: Body) => void} final
 * @property {(id: number, body: Body) => void} error
 * @property {(id: number) => void} heartbeat
 */

/** What the client gets for a reply that was destroyed without an error. */
const DESTROYED = { message: 'the reply was destroyed before it ended', name: 'Error', code: 'W_DESTROYED' };

/** @type {(reply: Reply, code: string) => void} */
let cancel;
/** @type {(reply: Reply) => boolean} */
let cancelled;
/** @type {(reply: Reply, bytes: number) => void} */
let credit;
/** @type {(reply: Reply, error: unknown) => void} */
let fail;

/**
 * The reply to one request as an objectMode Writable: write() sends a partial, end() the final.
 *
 * Values are encoded when they are given, so that what can't be sent throws at the caller and the reply can
 * still be ended. The Writable's own queue sees the encoded bodies.
 *
 * A part goes out while there is credit, past the Writable's queue. Without, it waits in there: write() is false
 * while any does, and 'drain' comes when none does any more.
 */
class Reply extends LazyWritable {
  #delivery;
  #id;
  /** Where its events run when the native side makes them. */
  #scope;
  #ended = false;
  /** FINAL or ERROR was handed over. */
  #sent = false;
  /** And it was ERROR. */
  #failed = false;
  /** @type {Body} */
  #final = 'null';
  /** How many bytes may go out before the client has read some. */
  #credit = WINDOW;
  /** The parts that wait for credit, in front of the Writable's queue. @type {{ bodies: Body[], at: number, done: () => void } | undefined} */
  #held;
  /** The error that ends the reply, behind what waits. @type {Body | undefined} */
  #lastError;
  /** Why nobody waits any more. @type {string | undefined} */
  #cancelled;
  /** @type {AbortController | undefined} */
  #controller;

  static {
    cancel = (reply, code) => reply.#scope.runInAsyncScope(reply.#cancel, reply, code);
    cancelled = (reply) => reply.#cancelled !== undefined;
    credit = (reply, bytes) => reply.#scope.runInAsyncScope(reply.#grant, reply, bytes);
    fail = (reply, error) => reply.#fail(encodeSafely(error));
  }

  /**
   * @param {Delivery} delivery
   * @param {number} id
   * @param {Scope} scope of its handler
   */
  constructor(delivery, id, scope) {
    super();
    this.#delivery = delivery;
    this.#id = id;
    this.#scope = scope;
  }

  /** Whether the reply has ended: by end(), error() or destroy(). */
  get ended() {
    return this.#ended;
  }

  /** Whether somebody still waits for the reply. */
  active() {
    return !this.#ended && this.#cancelled === undefined;
  }

  /** Aborts when nobody waits any more. */
  get signal() {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#cancelled !== undefined) this.#controller.abort(new OmdpError(this.#cancelled));
    }
    return this.#controller.signal;
  }

  /** Tells the broker and the client that the worker is at it. */
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
    const body = this.#encode(chunk);
    if (this.#ended || !this.#passes()) return super.write(body, encoding, callback);
    this.#partial(body);
    const done = typeof encoding === 'function' ? encoding : callback;
    if (typeof done === 'function') process.nextTick(done, null);
    return true;
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
    const body = typeof chunk === 'function' ? 'null' : this.#encode(chunk);
    this.#ended = true;
    this.#final = body;
    if (this[built] || done !== undefined) return super.end(done);
    this.#sendFinal();
    return this;
  }

  /** @param {any} value @returns {Body} */
  #encode(value) {
    return within(encode(value), this.#delivery.maxMessageSize);
  }

  /** @param {any} [error] */
  error(error) {
    if (!this.#ended) this.#fail(this.#encode(errorValue(error)));
  }

  [build]() {
    // What is in its queue waits for the client.
    this[construct]({ objectMode: true, highWaterMark: 1 });
    if (!this.#sent) return;
    // Ended before anybody looked at the stream: 'finish' and 'close', or 'close' alone, come now.
    if (this.#failed) this.destroy();
    else super.end();
  }

  /** Whether a part may go out now: there is credit, and nothing before it waits. */
  #passes() {
    if (this.#credit <= 0 && this.#cancelled === undefined) return false;
    return !this[built] || (this.writableLength === 0 && this.writableCorked === 0);
  }

  /** @param {Body} body */
  #partial(body) {
    if (this.#cancelled !== undefined || this.#sent) return;
    const bytes = cost(body);
    this.#credit -= bytes;
    this.#delivery.partial(this.#id, body, bytes);
  }

  /** @param {number} bytes */
  #grant(bytes) {
    this.#credit += bytes;
    this.#release();
  }

  #release() {
    const held = this.#held;
    if (held === undefined) return;
    while (held.at < held.bodies.length) {
      if (this.#credit <= 0 && this.#cancelled === undefined) return;
      this.#partial(held.bodies[held.at]);
      held.at += 1;
    }
    this.#held = undefined;
    held.done();
  }

  #sendFinal() {
    if (this.#sent) return;
    this.#sent = true;
    // Nobody reads it then, but it is what makes room for the worker's next request.
    this.#delivery.final(this.#id, this.#cancelled === undefined ? this.#final : 'null');
  }

  /** @param {Body} body */
  #sendError(body) {
    this.#ended = true;
    this.#sent = true;
    this.#failed = true;
    this.#delivery.error(this.#id, body);
  }

  /** @param {Body} body */
  #fail(body) {
    if (this.#ended) return;
    if (this[built] && this.writableLength > 0) {
      // What was written before goes before.
      this.#ended = true;
      this.#lastError = body;
      super.end();
      return;
    }
    this.#sendError(body);
    if (this[built]) this.destroy();
  }

  /** @param {string} code */
  #cancel(code) {
    this.#cancelled ??= code;
    if (this.#controller !== undefined && !this.#ended) this.#controller.abort(new OmdpError(code));
    this.#release();
  }

  /**
   * @param {Body} body
   * @param {BufferEncoding} _encoding
   * @param {(error?: Error | null) => void} done
   * @override
   */
  _write(body, _encoding, done) {
    this.#held = { bodies: [body], at: 0, done };
    this.#release();
  }

  /**
   * @param {{ chunk: Body }[]} chunks
   * @param {(error?: Error | null) => void} done
   * @override
   */
  _writev(chunks, done) {
    this.#held = { bodies: chunks.map(({ chunk }) => chunk), at: 0, done };
    this.#release();
  }

  /**
   * @param {(error?: Error | null) => void} done
   * @override
   */
  _final(done) {
    if (this.#lastError !== undefined) {
      this.#sendError(this.#lastError);
      this.destroy();
      return;
    }
    this.#sendFinal();
    done();
  }

  /**
   * @param {Error | null} error
   * @param {(error?: Error | null) => void} done
   * @override
   */
  _destroy(error, done) {
    // Destroyed between end() and the moment at which the Writable is through with it: the final stands, unless parts
    // before it never went out.
    if (this.#ended && this.writableLength === 0) this.#sendFinal();
    else if (!this.#sent) this.#sendError(this.#lastError ?? encodeSafely(error ?? DESTROYED));
    this.#held = undefined;
    done(error);
  }
}

/**
 * For errors that nobody handed to reply.error(): there is no caller to throw a TypeError at.
 * @param {unknown} error
 * @returns {Body}
 */
function encodeSafely(error) {
  try {
    return encode(errorValue(error));
  } catch (reason) {
    return encode(errorValue(reason));
  }
}

exports.Reply = Reply;
exports.cancel = /** @type {typeof cancel} */ (cancel);
exports.cancelled = /** @type {typeof cancelled} */ (cancelled);
exports.credit = /** @type {typeof credit} */ (credit);
exports.fail = /** @type {typeof fail} */ (fail);
