'use strict';

const { WorkerCore } = require('./load');
const { brokersOf } = require('./brokers');
const { ConnectingPeer } = require('./connecting-peer');
const { Deliveries } = require('./deliveries');
const { checkBrokers } = require('./endpoints');
const { checkConcurrency, checkConf, shownConf } = require('./options');
const { schemasOf } = require('./schema');
const { checkServices } = require('./services');

/** Handles the requests of one or several services. */
class Worker extends ConnectingPeer {
  #capacity;
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
    const { services, names, handlers, limits } = checkServices(service, checked);
    checkConcurrency(checked.protocol, checked.concurrency);
    const { maxRunning, schema, schemas, ...rest } = checked;
    const { brokers, conf: native } = brokersOf(endpoints, rest);
    const deliveries = new Deliveries(
      checked.concurrency,
      checked.maxMessageSize,
      services,
      handlers,
      maxRunning,
      schemasOf(services, schema, schemas),
      limits,
    );
    const [first, ...moreServices] = names;
    super(
      WorkerCore,
      { ...native, connection: native, service: first, moreServices, limits },
      deliveries,
      shownConf('worker', checked),
      brokers,
    );
    this.#capacity = deliveries.capacity;
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
    return this.#capacity.concurrency;
  }

  set concurrency(value) {
    this.#capacity.concurrency = checkConcurrency(this.#protocol, value);
  }

  get paused() {
    return this.#capacity.paused;
  }

  pause() {
    this.#capacity.paused = true;
  }

  resume() {
    this.#capacity.paused = false;
  }
}

exports.Worker = Worker;
