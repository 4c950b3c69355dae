'use strict';

const { BrokerCore } = require('./load');
const { checkConf, checkEndpoints } = require('./options');
const { Peer } = require('./peer');

/** The broker's work is all native; what is left here is where it can be reached. */
class Listening {
  /** As bound, so with the port that a wildcard got. @type {readonly string[]} */
  endpoints = Object.freeze([]);

  attach() {}

  take() {}

  holds() {
    return true;
  }

  startCalled() {}

  stopCalled() {}

  opened() {}

  startFailed() {}

  /** @param {string} text */
  started(text) {
    this.endpoints = Object.freeze(JSON.parse(text));
  }

  stopped() {
    this.endpoints = Object.freeze([]);
  }
}

/** Takes requests from clients and hands them to the workers of their services. */
class Broker extends Peer {
  #listening;

  /**
   * @param {string | readonly string[]} endpoint
   * @param {object} [conf]
   */
  constructor(endpoint, conf) {
    const endpoints = checkEndpoints(endpoint, true);
    const listening = new Listening();
    super(BrokerCore, { endpoints, ...checkConf('broker', conf) }, listening);
    this.#listening = listening;
  }

  get endpoints() {
    return this.#listening.endpoints;
  }
}

exports.Broker = Broker;
