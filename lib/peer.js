'use strict';

const { EventEmitter } = require('node:events');
const { began, call, ended, keep, waker } = require('./collected');
const { startError } = require('./errors');
const { captureCallers, withCallers } = require('./caller-stack');
const { CommonRecords, isCommon } = require('./common-records');
const { Inbox } = require('./inbox');
const { Operations } = require('./operations');
const { callback: checkCallback } = require('./checks');
const { checkOptions } = require('./options');
const { Outbox } = require('./outbox');
const { inNobodysScope } = require('./scope');
const { Snapshots } = require('./stats');
const { attempt } = require('./waiter');

/** @import { Brokers } from './brokers' */
/** @import { Role } from './common-records' */
/** @import { Operation } from './operations' */
/** @import { Core } from './load' */

/** @typedef {'stopped' | 'starting' | 'started' | 'stopping'} State */

/** Whether an object is a peer that is about to stop. @type {(peer: object) => boolean} */
let isStopping;

/**
 * The common part of Broker, Worker and Client: their life cycle, and whether they keep the process alive.
 */
class Peer extends EventEmitter {
  static {
    isStopping = (peer) => #state in peer && peer.#state === 'stopping';
  }

  #core;
  #outbox;
  #inbox;
  #role;
  #conf;
  #shown;
  #brokers;
  /** @type {State} */
  #state = 'stopped';
  #generation = 0;
  /** The caller of start(), for the stack of its error. @type {object | undefined} */
  #starter;
  #operations = new Operations({
    state: () => this.#state,
    run: (operation) => this.#run(operation),
    hasten: (operation) => this.#hasten(operation),
    report: (error) => this.#report(error),
  });
  #keptAlive = false;
  #snapshots;

  /**
   * @param {new (conf: any) => Core} NativeCore
   * @param {{ name: string, endpoints: string[] }} conf
   * @param {Role} role
   * @param {Readonly<Record<string, unknown>>} shown
   * @param {Brokers} [brokers] only of a worker or client
   */
  constructor(NativeCore, conf, role, shown, brokers) {
    super();
    this.#shown = shown;
    this.#brokers = brokers;
    this.#conf = conf;
    this.#role = role;
    this.#core = new NativeCore(conf);
    this.#outbox = new Outbox(this.#core);
    this.#snapshots = new Snapshots(this.#core, (native) => role.stats(native));
    const refresh = () => this.#refresh();
    const records = new CommonRecords(this, role, this.#snapshots, brokers, {
      started: (start, text) => this.#started(start, text),
      startFailed: (start, code, message) => this.#startFailed(start, code, message),
      stopped: (start) => this.#stopped(start),
    });
    this.#inbox = new Inbox(
      this.#core,
      this.#outbox,
      (kind, id, a, b, c, text, at, blob, n, d, e) => {
        if (isCommon(kind)) records.take(kind, id, a, b, text, at, blob);
        else role.take(kind, id, a, b, c, text, at, blob, n, d, e);
      },
      refresh,
      () => role.room?.() ?? 0,
      role.timed === undefined ? () => {} : (now) => role.timed?.(now),
    );
    brokers?.attach(
      (endpoints) => this.#core.setEndpoints?.(endpoints),
      (event, payload) => this.emit(event, payload),
    );
    role.attach({
      peer: this,
      core: this.#core,
      outbox: this.#outbox,
      refresh,
      roomy: () => this.#inbox.roomy(),
      takeLast: (take) => this.#inbox.takeLast(take),
    });
  }

  /** The endpoints that the user gave. */
  get #given() {
    return this.#brokers?.given ?? this.#conf.endpoints;
  }

  /** The options in effect, with defaults. @returns {Readonly<Record<string, any>>} */
  get conf() {
    return this.#shown;
  }

  /** The identity on the wire. */
  get name() {
    return this.#conf.name;
  }

  /** @returns {Promise<any>} */
  stats() {
    const snapshot = this.#snapshots.ask();
    this.#refresh();
    return snapshot;
  }

  /** @param {any} [callback] */
  start(callback) {
    const done = checkCallback(callback, 'callback');
    this.#role.startCalled?.();
    this.#starter = captureCallers(Peer.prototype.start);
    return this.#operations.add('start', -1, done);
  }

  /**
   * @param {any} [options]
   * @param {any} [callback]
   */
  stop(options, callback) {
    const given = typeof options === 'function' ? undefined : options;
    const { timeout: patience, drain, discard } = checkOptions('stop', given);
    const timeout = this.#role.waits === false && given?.timeout === undefined ? 0 : patience;
    const done = checkCallback(typeof options === 'function' ? options : callback, 'callback');
    const drains = drain && this.#role.drain !== undefined && this.#state === 'started';
    if (!drains) this.#role.stopCalled(discard);
    return this.#operations.add('stop', timeout, done, drains);
  }

  /** Lets outstanding requests end, for the time of the operation's timeout. @param {Operation} operation */
  #drain(operation) {
    const goOn = () => {
      if (!operation.drains) return;
      operation.drains = false;
      this.#role.stopCalled();
      this.#stop(operation);
    };
    this.#role.drain?.(goOn);
    if (operation.timeout !== -1) setTimeout(goOn, operation.timeout).unref();
  }

  /** @param {Operation} operation */
  #stop({ timeout }) {
    // Records that were given before the stop precede it.
    this.#outbox.flush();
    this.#core.stop(timeout);
  }

  /** @param {Operation} operation */
  #run(operation) {
    if (operation.kind === 'start') {
      this.#begin();
    } else if (this.#state === 'stopped') {
      // The start that this stop would end has failed.
      this.#operations.finish('stop');
    } else {
      this.#become('stopping');
      this.#hasten(operation);
    }
  }

  /** Carries out a stop with its present terms. @param {Operation} operation */
  #hasten(operation) {
    if (operation.drains) this.#drain(operation);
    else this.#stop(operation);
    this.#refresh();
  }

  #begin() {
    this.#generation += 1;
    this.#become('starting');
    try {
      // The native side keeps this function until its last notice is drained. What it makes for all peers of this thread
      // would keep the store of the present async context.
      inNobodysScope(() => this.#core.start(waker(this.#inbox), call));
    } catch (error) {
      const { code, message } = /** @type {Error & { code: string }} */ (error);
      const start = this.#generation;
      process.nextTick(() => this.#startFailed(start, code, message));
      return;
    }
    began(this, this.#outbox, this.#given);
    this.#outbox.open();
    this.#role.opened?.();
    this.#brokers?.begin();
  }

  /** @param {State} state */
  #become(state) {
    this.#state = state;
    if (state === 'stopped') {
      this.#brokers?.end();
      this.#outbox.close();
      ended(this);
    }
    this.#refresh();
  }

  /** Tells the native side whether to keep the event loop alive. */
  #refresh() {
    const wanted =
      this.#snapshots.size > 0 || this.#role.keepsAlive(this.#state, this.#operations.current?.timeout ?? -1);
    const alive = this.#state !== 'stopped' && wanted;
    if (alive === this.#keptAlive) return;
    this.#keptAlive = alive;
    keep(this, alive);
    if (alive) this.#core.ref();
    else this.#core.unref();
  }

  /** @param {number} start the number of the start @param {string} text */
  #started(start, text) {
    if (start !== this.#generation || this.#state !== 'starting') return;
    this.#role.started?.(text);
    this.#become('started');
    this.#tell('start');
    for (const endpoint of this.#role.endpoints ?? []) this.#tell('connect', endpoint);
    this.#operations.finish('start');
  }

  /** @param {number} start @param {string} code @param {string} message */
  #startFailed(start, code, message) {
    if (start !== this.#generation || this.#state !== 'starting') return;
    const error = withCallers(startError(code, message, this.#given), this.#starter);
    this.#snapshots.end();
    this.#become('stopped');
    // A stop() in the meantime has ended everything of this start; what was given after it belongs to the
    // next start.
    if (!this.#operations.haveNext) this.#role.startFailed?.(error);
    this.#operations.finish('start', error);
  }

  /** @param {number} start */
  #stopped(start) {
    if (start !== this.#generation || this.#state === 'stopped' || this.#state === 'starting') return;
    // Not requested: the native side has stopped by itself.
    if (this.#operations.current === undefined) this.#role.stopCalled(false);
    const bound = this.#role.endpoints ?? [];
    this.#snapshots.end();
    this.#become('stopped');
    this.#role.stopped();
    for (const endpoint of bound) this.#tell('disconnect', endpoint, 'stopped');
    this.#tell('stop');
    this.#operations.finish('stop');
  }

  /** @param {string} event @param {...any} args */
  #tell(event, ...args) {
    attempt(() => this.emit(event, ...args));
  }

  /** @param {Error} error @returns {boolean} whether there is a listener for it */
  #report(error) {
    if (this.listenerCount('error') === 0) return false;
    this.#tell('error', error);
    return true;
  }
}

if (Symbol.asyncDispose !== undefined) {
  Object.defineProperty(Peer.prototype, Symbol.asyncDispose, {
    /** @this {Peer} */
    value() {
      return this.stop();
    },
    writable: true,
    configurable: true,
  });
}

exports.Peer = Peer;
exports.isStopping = /** @type {typeof isStopping} */ (isStopping);
