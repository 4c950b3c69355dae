'use strict';

const { randomUUID } = require('node:crypto');
const { EventEmitter } = require('node:events');
const { Broker: Inner } = require('../broker');
const { reportBad } = require('./errors');

/** The policies of `dmode`. With any other value the worker that has been idle for the longest time is chosen. */
const BALANCE = new Map([
  ['load', 'least-loaded'],
  ['rand', 'random'],
]);

/** A broker with the API of PIGATO. */
class Broker extends EventEmitter {
  /** Read on each use. @type {Record<string, any>} */
  conf;
  /** @type {Inner | undefined} */
  #inner;

  /**
   * @param {string} endpoint
   * @param {Record<string, any>} [conf]
   */
  constructor(endpoint, conf) {
    super();
    this.endpoint = endpoint;
    const name = `B${randomUUID()}`;
    const intch = 'tcp://127.0.0.1:55550';
    this.conf = { heartbeat: 2500, heartbeatLiveness: 3, dmode: 'load', name, intch, ...conf };
  }

  /** Has no effect while the broker is running. */
  start() {
    if (this.#inner !== undefined) return;
    const { heartbeat, heartbeatLiveness, name, dmode } = this.conf;
    const balance = BALANCE.get(dmode) ?? 'longest-idle';
    const services = { '*': { balance } };
    const inner = new Inner(this.endpoint, {
      heartbeat,
      liveness: heartbeatLiveness,
      name,
      services,
      versions: 'all',
    });
    this.#inner = inner;
    inner.on('badMessage', ({ reason }) => reportBad(this, reason));
    inner.start((/** @type {Error | undefined} */ error) => {
      if (error === undefined || error === null) this.#started(inner);
      else this.#failed(inner, error);
    });
  }

  /** @param {Inner} inner */
  #started(inner) {
    if (this.#inner !== inner) return;
    this.conf.onStart?.();
    this.emit('start');
  }

  /** @param {Inner} inner @param {Error} error */
  #failed(inner, error) {
    if (this.#inner === inner) this.#inner = undefined;
    this.emit('error', error);
  }

  stop() {
    const inner = this.#inner;
    this.#inner = undefined;
    const stopped = () => {
      this.conf.onStop?.();
      this.emit('stop');
    };
    if (inner === undefined) {
      setImmediate(stopped);
      return;
    }
    inner.stop(stopped);
  }
}

exports.Broker = Broker;
