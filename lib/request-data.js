'use strict';

const { performance } = require('node:perf_hooks');
const { Costs } = require('./costs');
const { throwLater } = require('./errors');
const { CREDIT_STEP, SIGN_OF_LIFE_MS } = require('./flow');
const { LazyReadable, build, construct, iterate, withListener } = require('./lazy');
const { captureCallers, withCallers } = require('./caller-stack');

/** @import { Scope } from './scope' */

/**
 * The interface between the stream and its worker.
 * @typedef {object} Asker
 * @property {(id: number, bytes: number) => void} read reports bytes that were read, 0 at first, and requests
 * more
 * @property {(id: number) => void} enough
 */

/** @type {(data: RequestData, part: any, cost: number) => void} */
let push;
/** @type {(data: RequestData) => void} */
let end;
/** @type {(data: RequestData, error?: Error) => void} */
let close;

/**
 * The stream that is a request's data, at the worker: an objectMode Readable. The first read requests parts
 * from the client, and further reads request more. destroy() stops the client's stream.
 */
class RequestData extends LazyReadable {
  #asker;
  #id;
  /** The async context of its events. */
  #scope;
  #asked = false;
  /** Whether nothing more follows or is needed. */
  #over = false;
  /** Whether the request has ended. */
  #closed = false;
  #costs = new Costs();
  /** How many bytes were read since the last report to the client, and when that was. */
  #read = 0;
  #toldAt = 0;
  /** Why the request has ended, if that has destroyed it. @type {Error | undefined} */
  #error;

  static {
    push = (data, part, cost) => data.#scope.runInAsyncScope(data.#push, data, part, cost);
    end = (data) => data.#scope.runInAsyncScope(data.#end, data);
    close = (data, error) => data.#scope.runInAsyncScope(data.#close, data, error);
  }

  /**
   * @param {Asker} asker
   * @param {number} id the delivery's
   * @param {Scope} scope the handler's
   */
  constructor(asker, id, scope) {
    super();
    this.#asker = asker;
    this.#id = id;
    this.#scope = scope;
  }

  [build]() {
    this[construct]({ objectMode: true, highWaterMark: 1 });
  }

  /** @param {any} part @param {number} cost */
  #push(part, cost) {
    if (this.#over) return;
    // A Readable would take it for the end.
    if (part === null) {
      this.#count(cost);
      return;
    }
    try {
      this.push(part);
    } catch (error) {
      // The error of a 'data' listener.
      throwLater(error);
    }
    if (this.#costs.isEmpty && this.readableLength === 0) {
      this.#count(cost);
      return;
    }
    this.#costs.push(cost);
    this.#countRead();
  }

  #end() {
    if (this.#over) return;
    this.#over = true;
    this.push(null);
  }

  /** @param {Error} [error] why the request has ended, unless its handler has ended it */
  #close(error) {
    this.#closed = true;
    // A completely received stream can be read to its end.
    if (this.#over) return;
    this.#over = true;
    this.#error = error && this[withListener](error);
    this.destroy(error);
  }

  /** Counts parts that have left the Readable as read. */
  #countRead() {
    const read = this.#costs.removeRead(this.readableLength);
    if (read > 0) this.#count(read);
  }

  /** @param {number} cost */
  #count(cost) {
    this.#read += cost;
    if (this.#closed) return;
    const now = performance.now();
    // A slow reader must be distinguishable from one that has stopped reading.
    if (this.#read < CREDIT_STEP && now - this.#toldAt < SIGN_OF_LIFE_MS) return;
    this.#asker.read(this.#id, this.#read);
    this.#read = 0;
    this.#toldAt = now;
  }

  /**
   * @param {number} [size]
   * @override
   */
  read(size) {
    const part = super.read(size);
    if (!this.#costs.isEmpty) this.#countRead();
    return part;
  }

  /** @override */
  _read() {
    if (this.#asked || this.#over) return;
    this.#asked = true;
    this.#toldAt = performance.now();
    this.#asker.read(this.#id, 0);
  }

  /**
   * @param {Error | null} error
   * @param {(error?: Error | null) => void} done
   * @override
   */
  _destroy(error, done) {
    if (!this.#over) {
      this.#over = true;
      this.#asker.enough(this.#id);
    }
    done(error);
  }

  /**
   * A loop throws an error with the frames of the loop in its stack.
   * @param {AsyncIterableIterator<any>} parts
   */
  async *[iterate](parts) {
    try {
      yield* parts;
    } catch (/** @type {any} */ error) {
      if (error !== this.#error) throw error;
      throw this[withListener](withCallers(error, captureCallers(this[iterate])), true);
    }
  }
}

exports.RequestData = RequestData;
exports.close = /** @type {typeof close} */ (close);
exports.end = /** @type {typeof end} */ (end);
exports.push = /** @type {typeof push} */ (push);
