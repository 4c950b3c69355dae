'use strict';

const { randomUUID } = require('node:crypto');
const { EventEmitter } = require('node:events');
const { reportBad } = require('./errors');

/** @import { Peer } from '../peer' */

/**
 * The common part of clients and workers: a peer of this package for each start, because each start has an identity of
 * its own, with the events and hooks of PIGATO.
 * @template {Peer} Inner
 */
class Lifecycle extends EventEmitter {
  /** @type {Inner | undefined} */
  #inner;
  #started = false;
  /** Read on each use. @type {Record<string, any>} */
  conf;

  /**
   * @param {string} broker
   * @param {Record<string, any>} defaults
   * @param {Record<string, any> | undefined} conf
   */
  constructor(broker, defaults, conf) {
    super();
    this.broker = broker;
    this.conf = { ...defaults, ...conf };
  }

  /** The identity since the last start. @type {string | undefined} */
  get socketId() {
    return this.#started ? this.#inner?.name : undefined;
  }

  /** The peer of this start, or of the next one. @returns {Inner} */
  get inner() {
    if (this.#inner === undefined) {
      const inner = this.create(`${this.conf.prefix}-${randomUUID()}`);
      inner.on('connect', () => this.onConnect());
      inner.on('disconnect', () => this.onDisconnect());
      inner.on('error', (/** @type {unknown} */ error) => {
        if (this.listenerCount('error') > 0) this.emit('error', error);
      });
      inner.on('badMessage', ({ reason }) => reportBad(this, reason));
      this.#inner = inner;
    }
    return this.#inner;
  }

  /** Whether it is started. */
  get running() {
    return this.#started;
  }

  /**
   * @param {string} _name
   * @returns {Inner}
   */
  create(_name) {
    throw new Error('a subclass makes it');
  }

  onConnect() {
    this.emit('connect');
    this.conf.onConnect?.();
  }

  onDisconnect() {
    this.emit('disconnect');
    this.conf.onDisconnect?.();
  }

  /** Restarts a running peer. */
  start() {
    this.stop();
    const { inner } = this;
    this.#started = true;
    inner.start(() => {});
    this.emit('start');
  }

  /** Ends all requests at once. */
  stop() {
    if (!this.#started) return;
    const { inner } = this;
    this.#started = false;
    this.#inner = undefined;
    // The events that PIGATO emits at a stop are emitted here.
    for (const event of ['connect', 'disconnect']) inner.removeAllListeners(event);
    inner.stop({ timeout: 0 }, () => {});
    this.onDisconnect();
    this.emit('stop');
  }
}

exports.Lifecycle = Lifecycle;
