'use strict';

const { Waiter } = require('./waiter');

/** @import { State } from './peer' */

/**
 * A start or a stop. `timeout` is that of a stop in ms, -1 without limit; `drains` says whether outstanding
 * requests may end first; `waiters` get the result.
 * @typedef {{ kind: 'start' | 'stop', timeout: number, drains: boolean, waiters: Waiter[], running: boolean }} Operation
 */

/**
 * The peer whose starts and stops they are.
 * @typedef {object} PeerLifecycle
 * @property {() => State} state
 * @property {(operation: Operation) => void} run carries out an operation; `finish` ends it
 * @property {(operation: Operation) => void} hasten carries out a stop that runs with its new terms
 * @property {(error: Error) => boolean} report emits the error of an operation; false without a listener
 */

/** The starts and stops of a peer, executed in the order of the calls; the first one is in progress. */
class Operations {
  /** @type {Operation[]} */
  #queue = [];
  #peer;

  /** @param {PeerLifecycle} peer */
  constructor(peer) {
    this.#peer = peer;
  }

  /** The operation in progress. @returns {Operation | undefined} */
  get current() {
    return this.#queue[0];
  }

  /** Whether operations were called after the one in progress. */
  get haveNext() {
    return this.#queue.length > 1;
  }

  /**
   * @param {'start' | 'stop'} kind
   * @param {number} timeout
   * @param {((error?: Error) => void) | undefined} callback
   * @param {boolean} [drains]
   * @returns {Promise<void> | undefined}
   */
  add(kind, timeout, callback, drains = false) {
    const waiter = new Waiter(callback);
    this.#operationFor(kind, timeout, drains).waiters.push(waiter);
    return waiter.promise;
  }

  /** @param {'start' | 'stop'} kind @param {number} timeout @param {boolean} drains @returns {Operation} */
  #operationFor(kind, timeout, drains) {
    const last = this.#queue.at(-1);
    if (last?.kind === kind) {
      this.#tighten(last, timeout, drains);
      return last;
    }
    /** @type {Operation} */
    const operation = { kind, timeout, drains, waiters: [], running: false };
    if (last === undefined && this.#peer.state() === (kind === 'start' ? 'started' : 'stopped')) {
      process.nextTick(() => this.#tell(operation));
      return operation;
    }
    this.#queue.push(operation);
    if (last === undefined) this.#run(operation);
    return operation;
  }

  /**
   * A second stop() may shorten the timeout of the first, or end its wait for outstanding requests.
   * @param {Operation} operation
   * @param {number} timeout
   * @param {boolean} drains
   */
  #tighten(operation, timeout, drains) {
    if (operation.drains && !drains) operation.drains = false;
    else if (timeout === -1) return;
    else operation.timeout = operation.timeout === -1 ? timeout : Math.min(operation.timeout, timeout);
    if (this.#peer.state() === 'stopping') this.#peer.hasten(operation);
  }

  /** @param {Operation} operation */
  #run(operation) {
    operation.running = true;
    this.#peer.run(operation);
  }

  /**
   * @param {'start' | 'stop'} kind of the finished operation
   * @param {Error} [error]
   */
  finish(kind, error) {
    const [operation] = this.#queue;
    if (operation?.kind === kind) {
      this.#queue.shift();
      this.#tell(operation, error);
    }
    // A waiter may have called start() or stop(), which has started the operation.
    const [next] = this.#queue;
    if (next !== undefined && !next.running) this.#run(next);
  }

  /** @param {Operation} operation @param {Error} [error] */
  #tell({ waiters }, error) {
    const promises = waiters.flatMap(({ promise }) => promise ?? []);
    if (error !== undefined && promises.length > 0 && this.#peer.report(error)) {
      // A listener handles the error, so an unhandled promise need not end the process.
      for (const promise of promises) promise.catch(() => {});
    }
    for (const waiter of waiters) waiter.tell(error);
  }
}

exports.Operations = Operations;
