'use strict';

const { randomUUID } = require('node:crypto');
const { EventEmitter } = require('node:events');
const { Broker: Inner } = require('../broker');
const { Worker: InnerWorker } = require('../worker');
const { reportBad } = require('./errors');

/** The internal service by which a `Directory` asks for the workers of services. */
const DIRECTORY = '$omdp.directory';

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
  /** @type {InnerWorker | undefined} */
  #directory;
  /** The names of the workers of each service. @type {Map<string, Set<string>>} */
  #services = new Map();

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
    inner.on('workerReady', ({ worker, service }) => this.#came(service, worker));
    inner.on('workerGone', ({ worker, service }) => this.#went(service, worker));
    inner.start((/** @type {Error | undefined} */ error) => {
      if (error === undefined || error === null) this.#started(inner);
      else this.#failed(inner, error);
    });
  }

  /** @param {Inner} inner */
  #started(inner) {
    if (this.#inner !== inner) return;
    const directory = new InnerWorker(/** @type {string} */ (inner.endpoints[0]), DIRECTORY, {
      concurrency: -1,
    });
    directory.on('request', (service, reply) => reply.end(service ? this.#workersOf(service) : this.#all()));
    directory.start(() => {});
    this.#directory = directory;
    this.conf.onStart?.();
    this.emit('start');
  }

  /** @param {Inner} inner @param {Error} error */
  #failed(inner, error) {
    if (this.#inner === inner) this.#inner = undefined;
    this.emit('error', error);
  }

  stop() {
    const [inner, directory] = [this.#inner, this.#directory];
    this.#inner = undefined;
    this.#directory = undefined;
    const stopped = () => {
      this.#services.clear();
      this.conf.onStop?.();
      this.emit('stop');
    };
    if (inner === undefined) {
      setImmediate(stopped);
      return;
    }
    directory?.stop({ timeout: 0 }, () => {});
    inner.stop(stopped);
  }

  /** @param {string} service @param {string} worker */
  #came(service, worker) {
    if (service === DIRECTORY) return;
    const workers = this.#services.get(service) ?? new Set();
    this.#services.set(service, workers.add(worker));
  }

  /** @param {string} service @param {string} worker */
  #went(service, worker) {
    const workers = this.#services.get(service);
    workers?.delete(worker);
    if (workers?.size === 0) this.#services.delete(service);
  }

  /** @param {any} service */
  #workersOf(service) {
    return [...(this.#services.get(service) ?? [])];
  }

  #all() {
    return Object.fromEntries([...this.#services].map(([service, workers]) => [service, [...workers]]));
  }
}

exports.Broker = Broker;
exports.DIRECTORY = DIRECTORY;
