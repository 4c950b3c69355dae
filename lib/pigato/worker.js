'use strict';

const { randomUUID } = require('node:crypto');
const { Worker: Inner } = require('../worker');
const { Lifecycle } = require('./lifecycle');

const DEFAULT_CONCURRENCY = 100;
const MAX_CONCURRENCY = 0x7fffffff;

/**
 * The effective concurrency under PIGATO, whose broker compares the number of running requests with it.
 * @param {any} concurrency
 * @returns {number} -1 for no limit, 0 for no requests
 */
function limitOf(concurrency) {
  if (concurrency === undefined) return DEFAULT_CONCURRENCY;
  const limit = Number(concurrency);
  if (limit === -1) return -1;
  return limit > 0 ? Math.min(Math.ceil(limit), MAX_CONCURRENCY) : 0;
}

/** A worker with the API of PIGATO. @extends {Lifecycle<Inner>} */
class Worker extends Lifecycle {
  /** @type {Inner | undefined} */
  #inner;

  /**
   * @param {string} broker
   * @param {string} service
   * @param {Record<string, any>} [conf]
   */
  constructor(broker, service, conf) {
    const prefix = `W${randomUUID()}`;
    super(broker, { heartbeat: 2500, reconnect: 1000, concurrency: DEFAULT_CONCURRENCY, prefix }, conf);
    this.service = service;
    let { concurrency } = this.conf;
    Object.defineProperty(this.conf, 'concurrency', {
      enumerable: true,
      get: () => concurrency,
      set: (value) => {
        concurrency = value;
        this.#limit();
      },
    });
  }

  /** Applies `conf.concurrency`. */
  #limit() {
    const inner = this.#inner;
    if (inner === undefined) return;
    const limit = limitOf(this.conf.concurrency);
    if (limit === 0) return inner.pause();
    inner.concurrency = limit;
    inner.resume();
  }

  /** @override @param {string} name */
  create(name) {
    const { heartbeat, reconnect, protocol } = this.conf;
    // PIGATO has patterns without a declaration; at brokers of this package the option is required.
    const ends = this.service.indexOf('*') === this.service.length - 1;
    const pattern = ends && protocol !== 'pigato';
    const inner = new Inner(this.broker, this.service, { name, heartbeat, reconnect, protocol, pattern });
    inner.on('request', (/** @type {any} */ data, /** @type {any} */ reply, /** @type {any} */ opts) => {
      return this.#handle(data, reply, { ...opts });
    });
    this.#inner = inner;
    this.#limit();
    return inner;
  }

  heartbeat() {
    // The native side sends heartbeats.
  }

  /**
   * @param {any} data
   * @param {any} reply
   * @param {Record<string, any>} opts
   * @returns {Promise<unknown> | undefined}
   */
  #handle(data, reply, opts) {
    const listeners = this.rawListeners('request');
    if (listeners.length === 0) {
      reply.error('W_NO_HANDLER');
      return undefined;
    }
    reply.opts = {};
    // Not emit(): exceptions and rejections of a listener are reported to the client.
    const results = listeners.map((listener) => listener.call(this, data, reply, opts));
    const pending = results.filter((result) => typeof result?.then === 'function');
    return pending.length > 0 ? Promise.all(pending) : undefined;
  }
}

exports.Worker = Worker;
