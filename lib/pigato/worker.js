'use strict';

const { randomUUID } = require('node:crypto');
const { Worker: Inner } = require('../worker');
const { Life } = require('./life');

/** A worker with the API of PIGATO. @extends {Life<Inner>} */
class Worker extends Life {
  /** @type {Inner | undefined} */
  #inner;

  /**
   * @param {string} broker
   * @param {string} service
   * @param {Record<string, any>} [conf]
   */
  constructor(broker, service, conf) {
    const prefix = `W${randomUUID()}`;
    super(broker, { heartbeat: 2500, reconnect: 1000, concurrency: 100, prefix }, conf);
    this.service = service;
    let { concurrency } = this.conf;
    Object.defineProperty(this.conf, 'concurrency', {
      enumerable: true,
      get: () => concurrency,
      set: (value) => {
        concurrency = value;
        if (this.#inner !== undefined) this.#inner.concurrency = value;
      },
    });
  }

  /** @override @param {string} name */
  create(name) {
    const { heartbeat, reconnect, concurrency } = this.conf;
    // PIGATO has patterns without a declaration; here the option is required.
    const pattern = this.service.indexOf('*') === this.service.length - 1;
    const inner = new Inner(this.broker, this.service, { name, heartbeat, reconnect, concurrency, pattern });
    inner.on('request', (/** @type {any} */ data, /** @type {any} */ reply, /** @type {any} */ opts) => {
      return this.#handle(data, reply, { ...opts });
    });
    this.#inner = inner;
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
