'use strict';

const { performance } = require('node:perf_hooks');
const { Costs } = require('./costs');
const { throwLater } = require('./errors');
const { CREDIT_STEP, SIGN_OF_LIFE_MS } = require('./flow');
const { LazyReadable, build, built, construct, errorToEmit, iterate, withListener } = require('./lazy');

/**
 * The failure of a request: the bare value or code, and the Error for it.
 * @typedef {{ value: any, toError: () => Error }} Failure
 */

/** @import { Request } from './request' */
/** @import { Requests } from './requests' */

/** @type {(stream: RequestStream, data: any, cost: number) => boolean} */
let push;
/** @type {(stream: RequestStream, data: any, failure: Failure | undefined) => void} */
let finish;

/**
 * The reply to a request as a Readable: each partial and, last, the final's data. In a Readable `null` means
 * the end, so a partial or final that is null reaches only the callbacks.
 *
 * With callbacks the stream need not be read: it flows from the start, and parts without a listener are
 * dropped. Without callbacks it keeps the parts until they are read.
 */
class RequestStream extends LazyReadable {
  #requests;
  #request;
  #flows;
  /** Parts received before the stream was constructed. @type {any[] | undefined} */
  #early;
  #over = false;
  /** @type {Failure | undefined} */
  #failure;
  /** The failure as the Error with which the stream was destroyed. @type {Error | undefined} */
  #error;
  /** Whether `error` events carry bare values and codes. */
  #bare;
  /** Whether the failure waits until earlier parts have been read. */
  #failsWhenRead = false;
  #aborted = false;
  #costs = new Costs();
  #unread = 0;
  /** When the reader fell behind, or when the worker was last told that it reads. */
  #heardAt = 0;

  static {
    push = (stream, data, cost) => stream.#push(data, cost);
    finish = (stream, data, failure) => stream.#finish(data, failure);
  }

  /**
   * @param {Requests} requests
   * @param {Request} request
   * @param {boolean} flows
   * @param {boolean} bare
   */
  constructor(requests, request, flows, bare) {
    super();
    this.#bare = bare;
    this.#requests = requests;
    this.#request = request;
    this.#flows = flows;
  }

  /** The request's id, for `client.heartbeat()`. */
  get rid() {
    return String(this.#request.id);
  }

  /** Tells the worker that the reply is still wanted. */
  heartbeat() {
    this.#requests.heartbeat(this.#request.id);
  }

  /**
   * @param {any} data
   * @param {number} cost of a partial; a final has none
   * @returns {boolean} whether it was read, or never will be
   */
  #push(data, cost) {
    if (data === null) return true;
    if (this[built]) {
      try {
        this.push(data);
      } catch (error) {
        // The error of a 'data' listener.
        throwLater(error);
      }
      if (this.#costs.isEmpty && this.readableLength === 0) return true;
    } else if (this.#flows) {
      return true;
    } else if (this.#early === undefined) {
      this.#early = [data];
    } else {
      this.#early.push(data);
    }
    if (this.#costs.isEmpty) this.#heardAt = performance.now();
    this.#costs.push(cost);
    this.#unread += cost;
    if (this[built]) this.#countRead();
    return false;
  }

  /** Counts parts that have left the Readable as read. */
  #countRead() {
    const read = this.#costs.removeRead(this.readableLength);
    if (read === 0) return;
    this.#unread -= read;
    if (this.#over) return;
    this.#requests.read(this.#request, read);
    // A slow reader, which must be distinguishable from one that has stopped reading.
    if (this.#unread < CREDIT_STEP || this.#request.read === 0) return;
    const now = performance.now();
    if (now - this.#heardAt < SIGN_OF_LIFE_MS) return;
    this.#heardAt = now;
    this.#requests.giveCredit(this.#request);
  }

  /**
   * @param {any} data
   * @param {Failure | undefined} failure
   */
  #finish(data, failure) {
    if (this.#over) return;
    this.#over = true;
    this.#failure = failure;
    if (failure === undefined) this.#push(data, 0);
    if (this[built]) this.#close();
  }

  [build]() {
    this[construct]({ objectMode: true });
    if (this.#flows) this.resume();
    const early = this.#early;
    this.#early = undefined;
    if (early !== undefined) for (const data of early) this.push(data);
    // The access that caused the construction has not attached its listener yet.
    if (this.#over) process.nextTick(() => this.#close());
  }

  #close() {
    if (this.#failure === undefined) {
      this.push(null);
      // In 0.0.92 the stream always flows, so a listener for 'end' alone is sufficient to get it.
      if (this.readableFlowing === null && this.listenerCount('end') > 0 && !this.#isRead()) this.resume();
    } else if (this.readableLength > 0 && this.#isRead()) {
      this.#failsWhenRead = true;
    } else {
      this.#fail(this.#failure);
    }
  }

  #isRead() {
    return this.listenerCount('data') > 0 || this.listenerCount('readable') > 0;
  }

  /** @param {Failure} failure */
  #fail(failure) {
    if (this.destroyed) return;
    this.#error = this[withListener](failure.toError());
    this.destroy(this.#error);
  }

  /**
   * The value that an `error` event carries.
   * @param {unknown} error
   * @override
   */
  [errorToEmit](error) {
    if (!this.#bare || error !== this.#error) return error;
    // pipeline() and finished() take a falsy error for success.
    return this.#failure?.value || error;
  }

  /**
   * @param {number} [size]
   * @override
   */
  read(size) {
    const data = super.read(size);
    if (!this.#costs.isEmpty) this.#countRead();
    if (this.#failsWhenRead && this.readableLength === 0) {
      this.#failsWhenRead = false;
      const failure = /** @type {Failure} */ (this.#failure);
      process.nextTick(() => this.#fail(failure));
    }
    return data;
  }

  /** @override */
  _read() {}

  /**
   * @param {Error | null} error
   * @param {(error?: Error | null) => void} done
   * @override
   */
  _destroy(error, done) {
    if (!this.#over) {
      this.#over = true;
      this.#aborted = true;
      this.#requests.abort(this.#request);
    }
    // Whichever side destroys the stream, its events are those of the request.
    const { scope } = this.#request;
    if (scope === undefined) done(error);
    else scope.runInAsyncScope(done, undefined, error);
  }

  /**
   * A loop throws nothing but Errors, each with the frames of the loop in its stack.
   * @param {AsyncIterableIterator<any>} parts
   */
  async *[iterate](parts) {
    try {
      yield* parts;
    } catch (error) {
      throw this.#errorOf(this.#failure) ?? this.#abortError(error) ?? error;
    }
    if (this.#failure !== undefined) throw this.#errorOf(this.#failure);
  }

  /** @param {Failure | undefined} failure */
  #errorOf(failure) {
    return failure && this[withListener](failure.toError(), true);
  }

  /** @param {any} error */
  #abortError(error) {
    if (!this.#aborted || error?.code !== 'ERR_STREAM_PREMATURE_CLOSE') return undefined;
    return this.#errorOf({ value: 'C_ABORTED', toError: this.#request.failed('C_ABORTED', error) });
  }
}

exports.RequestStream = RequestStream;
exports.finish = /** @type {typeof finish} */ (finish);
exports.push = /** @type {typeof push} */ (push);
