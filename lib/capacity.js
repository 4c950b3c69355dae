'use strict';

const { WorkerOp } = require('./load');

/** @import { PeerContext } from './common-records' */

const OP_CONCURRENCY = WorkerOp.Concurrency;
const OP_PAUSE = WorkerOp.Pause;

/** How many requests a worker may run at once: its concurrency, and whether it is paused. */
class Capacity {
  #concurrency;
  /** Whether the concurrency differs from the one with which the native side starts. */
  #changed = false;
  #paused = false;
  /** Whether the worker stops; requests that a broker does not take back then run before the end. */
  #stopping = false;
  /** @type {PeerContext} */
  #context = /** @type {any} */ (undefined);

  /** @param {number} concurrency -1 without limit */
  constructor(concurrency) {
    this.#concurrency = concurrency;
  }

  /** @param {PeerContext} context */
  attach(context) {
    this.#context = context;
  }

  get concurrency() {
    return this.#concurrency;
  }

  set concurrency(value) {
    this.#concurrency = value;
    this.#changed = true;
    this.#context.outbox.putUrgent(OP_CONCURRENCY, value, '');
    this.#context.roomy();
  }

  get paused() {
    return this.#paused;
  }

  set paused(value) {
    if (value === this.#paused) return;
    this.#paused = value;
    this.#context.outbox.putUrgent(OP_PAUSE, Number(value), '');
    if (!value) this.#context.roomy();
  }

  /**
   * How many more requests can start.
   * @param {number} running
   * @returns {number}
   */
  room(running) {
    if (this.#paused && !this.#stopping) return 0;
    if (this.#concurrency === -1) return Number.MAX_SAFE_INTEGER;
    return Math.max(0, this.#concurrency - running);
  }

  /** The native side begins each start with its initial concurrency, and not paused. */
  opened() {
    this.#stopping = false;
    if (this.#changed) this.#context.outbox.putUrgent(OP_CONCURRENCY, this.#concurrency, '');
    if (this.#paused) this.#context.outbox.putUrgent(OP_PAUSE, 1, '');
  }

  stopCalled() {
    this.#stopping = true;
    if (this.#paused) this.#context.roomy();
  }
}

exports.Capacity = Capacity;
