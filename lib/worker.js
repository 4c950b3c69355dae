'use strict';

const { WorkerCore } = require('./load');
const { Deliveries } = require('./deliveries');
const { checkBrokers, checkConcurrency, checkConf, checkService } = require('./options');
const { Peer } = require('./peer');
const { secureClient } = require('./security');

/** Serves one service. */
class Worker extends Peer {
  #deliveries;
  #service;
  #protocol;

  /**
   * @param {string | readonly string[]} endpoint
   * @param {string} service
   * @param {object} [conf]
   */
  constructor(endpoint, service, conf) {
    const endpoints = checkBrokers(endpoint);
    checkService(service);
    const checked = checkConf('worker', conf);
    checkConcurrency(checked.protocol, checked.concurrency);
    const deliveries = new Deliveries(checked.concurrency, checked.maxMessageSize);
    super(WorkerCore, { endpoints, service, ...secureClient(checked, endpoints) }, deliveries);
    this.#deliveries = deliveries;
    this.#service = service;
    this.#protocol = checked.protocol;
  }

  get service() {
    return this.#service;
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
