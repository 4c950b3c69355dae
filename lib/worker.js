'use strict';

const { WorkerCore } = require('./load');
const { Deliveries } = require('./deliveries');
const { checkBrokers, checkConcurrency, checkConf, checkServices, shownConf } = require('./options');
const { Peer } = require('./peer');
const { secureClient } = require('./security');

/** Serves a service, or several. */
class Worker extends Peer {
  #deliveries;
  #services;
  #protocol;

  /**
   * @param {string | readonly string[]} endpoint
   * @param {string | Record<string, Function>} service its name, or handlers by the names of several
   * @param {object} [conf]
   */
  constructor(endpoint, service, conf) {
    const endpoints = checkBrokers(endpoint);
    const checked = checkConf('worker', conf);
    const { services, names, handlers } = checkServices(service, checked);
    checkConcurrency(checked.protocol, checked.concurrency);
    const { maxRunning, schema, ...rest } = checked;
    if (schema !== undefined && names.length > 1) {
      throw new TypeError('option "schema" requires a worker of one service');
    }
    const deliveries = new Deliveries(
      checked.concurrency,
      checked.maxMessageSize,
      services,
      endpoints,
      handlers,
      maxRunning,
      schema,
    );
    const [first, ...moreServices] = names;
    const native = { endpoints, ...secureClient(rest, endpoints), service: first, moreServices };
    super(WorkerCore, native, deliveries, shownConf('worker', checked));
    this.#deliveries = deliveries;
    this.#services = services;
    this.#protocol = checked.protocol;
  }

  get service() {
    return this.#services[0];
  }

  get services() {
    return [...this.#services];
  }

  /** @override */
  get conf() {
    return Object.freeze({ ...super.conf, concurrency: this.concurrency });
  }

  get concurrency() {
    return this.#deliveries.concurrency;
  }

  set concurrency(value) {
    this.#deliveries.concurrency = checkConcurrency(this.#protocol, value);
  }

  get paused() {
    return this.#deliveries.paused;
  }

  pause() {
    this.#deliveries.paused = true;
  }

  resume() {
    this.#deliveries.paused = false;
  }
}

exports.Worker = Worker;
