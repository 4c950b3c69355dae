'use strict';

const { Signals } = require('./signals');
const { Table } = require('./table');

/** @import { Request } from './request' */

/** The requests of a client that have not ended, and the signals that abort them. */
class Outstanding {
  /** @type {Table<Request>} */
  #requests = new Table();
  #signals;
  /** Called when no request is outstanding. @type {(() => void) | undefined} */
  #onEmpty;

  /** @param {(request: Request, reason: unknown) => void} onAbort */
  constructor(onAbort) {
    this.#signals = new Signals(onAbort);
  }

  get size() {
    return this.#requests.size;
  }

  /** @param {number} id @returns {Request | undefined} */
  get(id) {
    return this.#requests.get(id);
  }

  /** @param {number} id @returns {boolean} */
  has(id) {
    return this.#requests.has(id);
  }

  /** @param {Request} request */
  add(request) {
    if (request.signal !== undefined) this.#signals.watch(request.signal, request);
    this.#requests.add(request.id, request);
  }

  /** @param {Request} request @returns {boolean} whether it was outstanding */
  delete(request) {
    this.#unwatch(request);
    const found = this.#requests.delete(request.id);
    if (this.#onEmpty !== undefined && this.#requests.size === 0) this.#emptied();
    return found;
  }

  /** @returns {Request[]} all requests, in no order */
  values() {
    return this.#requests.values();
  }

  /** Removes and returns all requests, in their order; what waited for their ends is not called. */
  clear() {
    this.#onEmpty = undefined;
    const requests = this.#requests.clear();
    for (const request of requests) this.#unwatch(request);
    return requests;
  }

  /** Calls `done` once when no request is outstanding. @param {() => void} done */
  whenEmpty(done) {
    this.#onEmpty = done;
    if (this.#requests.size === 0) this.#emptied();
  }

  #emptied() {
    const done = this.#onEmpty;
    this.#onEmpty = undefined;
    // The receivers of the last outcome are called first.
    if (done !== undefined) process.nextTick(done);
  }

  /** @param {Request} request */
  #unwatch(request) {
    if (request.signal !== undefined) this.#signals.unwatch(request.signal, request);
  }
}

exports.Outstanding = Outstanding;
