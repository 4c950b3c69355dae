'use strict';

const { WorkerCore } = require('./load');
const { Deliveries } = require('./deliveries');
const { checkConf, checkEndpoints, checkService, concurrency } = require('./options');
const { Peer } = require('./peer');
const { secureClient } = require('./security');

/** Serves one service. */
class Worker extends Peer {
  #deliveries;
  #service;

  /**
   * @param {string | readonly string[]} endpoint
   * @param {string} service
   * @param {object} [conf]
   */
  constructor(endpoint, service, conf) {
    const endpoints = checkEndpoints(endpoint, false);
    checkService(service);
    const checked = checkConf('worker', conf);
    const deliveries = new Deliveries(checked.concurrency);
    super(WorkerCore, { endpoints, service, ...secureClient(checked, endpoints) }, deliveries);
    this.#deliveries = deliveries;
    this.#service = service;
  }

  get service() {
    return this.#service;
  }

  get concurrency() {
    return this.#deliveries.concurrency;
  }

  set concurrency(value) {
    this.#deliveries.concurrency = concurrency(value, 'option "concurrency"');
  }
}

exports.Worker = Worker;
