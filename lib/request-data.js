'use strict';

const { performance } = require('node:perf_hooks');
const { Readable } = require('node:stream');
const { Costs } = require('./costs');
const { throwLater } = require('./errors');
const { GRANT, SIGN_OF_LIFE_MS } = require('./flow');

/** @import { Scope } from './scope' */

/**
 * What it tells its worker.
 * @typedef {object} Asker
 * @property {(id: number, bytes: number) => void} read so many bytes were read, none at first, and more is wanted
 * @property {(id: number) => void} enough
 */

/** @type {(data: RequestData, part: any, cost: number) => void} */
let push;
/** @type {(data: RequestData) => void} */
let end;
/** @type {(data: RequestData, error?: Error) => void} */
let close;

/**
 * The stream that is a request's data, on the worker's side: an objectMode Readable. The client is asked for parts when it
 * is read from for the first time, and for more as they are read. To destroy it stops the client's stream.
 */
class RequestData extends Readable {
  #asker;
  #id;
  /** Where its events run. */
  #scope;
  #asked = false;
  /** Nothing more comes, or is wanted. */
  #over = false;
  /** The request has ended. */
  #closed = false;
  #costs = new Costs();
  /** How much was read since the client was told, and when that was. */
  #read = 0;
  #toldAt = 0;

  static {
    push = (data, part, cost) => data.#scope.runInAsyncScope(data.#push, data, part, cost);
    end = (data) => data.#scope.runInAsyncScope(data.#end, data);
    close = (data, error) => data.#scope.runInAsyncScope(data.#close, data, error);
  }

  /**
   * @param {Asker} asker
   * @param {number} id of the delivery
   * @param {Scope} scope of its handler
   */
  constructor(asker, id, scope) {
    super({ objectMode: true, highWaterMark: 1 });
    this.#asker = asker;
    this.#id = id;
    this.#scope = scope;
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
      // A 'data' listener's.
      throwLater(error);
    }
    if (this.#costs.isEmpty && this.readableLength === 0) {
      this.#count(cost);
      return;
    }
    this.#costs.push(cost);
    this.#settle();
  }

  #end() {
    if (this.#over) return;
    this.#over = true;
    this.push(null);
  }

  /** @param {Error} [error] why the request has ended, unless its handler has ended it */
  #close(error) {
    this.#closed = true;
    // What has come whole can be read to its end.
    if (this.#over) return;
    this.#over = true;
    this.destroy(error);
  }

  /** Takes note of what was read: what is in the Readable no more. */
  #settle() {
    const read = this.#costs.read(this.readableLength);
    if (read > 0) this.#count(read);
  }

  /** @param {number} cost */
  #count(cost) {
    this.#read += cost;
    if (this.#closed) return;
    const now = performance.now();
    // A slow reader must not count as one that has stopped reading.
    if (this.#read < GRANT && now - this.#toldAt < SIGN_OF_LIFE_MS) return;
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
    if (!this.#costs.isEmpty) this.#settle();
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
   * An `error` without a listener is not thrown: the reply is told, too, and one request must not end the process.
   * @param {string | symbol} event
   * @param {...any} args
   * @override
   */
  emit(event, ...args) {
    if (event === 'error' && this.listenerCount('error') === 0) return false;
    return super.emit(event, ...args);
  }
}

exports.RequestData = RequestData;
exports.close = /** @type {typeof close} */ (close);
exports.end = /** @type {typeof end} */ (end);
exports.push = /** @type {typeof push} */ (push);
