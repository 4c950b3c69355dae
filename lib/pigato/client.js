'use strict';

const { randomUUID } = require('node:crypto');
const { Client: Inner } = require('../client');
const { MAX_MS } = require('../option-table');
const { ReadOptions } = require('../request-options');
const { Lifecycle } = require('./lifecycle');

/** PIGATO's `retry` has no limit; this is the maximum here. */
const ENDLESS = 255;

/**
 * The effective timeout under PIGATO, which compares a timeout with the elapsed time at each heartbeat.
 * @param {any} timeout
 * @param {number} heartbeat
 * @returns {number} -1 for no limit
 */
function timeoutOf(timeout, heartbeat) {
  const ms = Number(timeout);
  if (!(ms > -1)) return -1;
  return ms > 0 ? Math.min(Math.ceil(ms), MAX_MS) : heartbeat;
}

/** A client with the API of PIGATO. @extends {Lifecycle<Inner>} */
class Client extends Lifecycle {
  /**
   * @param {string} broker
   * @param {Record<string, any>} [conf]
   */
  constructor(broker, conf) {
    const prefix = `C${randomUUID()}`;
    super(
      broker,
      { autostart: false, reconnect: 1000, heartbeat: 2500, timeout: 60000, retry: 0, prefix },
      conf,
    );
    if (this.conf.autostart) this.start();
  }

  /** @override @param {string} name */
  create(name) {
    const { heartbeat, reconnect, protocol } = this.conf;
    return new Inner(this.broker, { name, heartbeat, reconnect, protocol, errorValues: true });
  }

  /**
   * With up to three arguments a stream, with more callbacks: `(service, data, partialCb, finalCb, opts)`.
   * @param {string} service
   * @param {any} data
   * @param {...any} rest
   */
  request(service, data, ...rest) {
    if (rest.length < 2) return this.inner.requestStream(service, data, this.#options(rest[0]));
    const [partialCb, finalCb, opts] = rest;
    const onPartial = partialCb
      ? (/** @type {any} */ _, /** @type {any} */ part) => partialCb(null, part)
      : undefined;
    const onFinal = finalCb
      ? (/** @type {any} */ error, /** @type {any} */ final) =>
          error === null ? finalCb(0, final) : finalCb(error, null)
      : undefined;
    this.inner.request(service, data, onPartial, onFinal, this.#options(opts));
    return undefined;
  }

  /**
   * @param {string} service
   * @param {any} data
   * @param {any} [opts]
   */
  requestStream(service, data, opts) {
    return this.request(service, data, opts);
  }

  /** @param {string} [rid] */
  heartbeat(rid) {
    if (this.running) this.inner.heartbeat(rid);
  }

  /**
   * The handler gets all options, unchecked.
   * @param {any} given
   */
  #options(given) {
    const { conf } = this;
    const opts = typeof given === 'object' && given !== null ? given : {};
    const timeout = opts.timeout ?? conf.timeout;
    const options = { ...opts, timeout, retry: opts.retry ?? conf.retry };
    return new ReadOptions(options, timeoutOf(timeout, conf.heartbeat), ENDLESS);
  }
}

exports.Client = Client;
