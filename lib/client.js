'use strict';

const { ClientCore } = require('./load');
const { given } = require('./describe');
const { checkBrokers, checkCallback, checkConf, checkService } = require('./options');
const { Peer } = require('./peer');
const { OptionsReader } = require('./request-options');
const { Requests } = require('./requests');
const { RequestStream } = require('./response');
const { secureClient } = require('./security');
const { encode } = require('./values');

/** Makes requests. */
class Client extends Peer {
  #requests;
  #options;
  /** The service of the last request, which needs no second check. @type {string | undefined} */
  #service;

  /**
   * @param {string | readonly string[]} endpoint
   * @param {object} [conf]
   */
  constructor(endpoint, conf) {
    const endpoints = checkBrokers(endpoint);
    const { timeout, ...rest } = checkConf('client', conf);
    const requests = new Requests();
    super(ClientCore, { endpoints, ...secureClient(rest, endpoints) }, requests);
    this.#requests = requests;
    this.#options = new OptionsReader(timeout, rest.protocol);
  }

  /**
   * @param {string} service
   * @param {any} data
   * @param {any} [partialCb]
   * @param {any} [finalCb]
   * @param {any} [opts]
   * @returns {RequestStream}
   */
  request(service, data, partialCb, finalCb, opts) {
    const onPartial = checkCallback(partialCb, 'partialCb');
    const onFinal = checkCallback(finalCb, 'finalCb');
    const request = this.#send(service, data, opts);
    request.partialCb = onPartial;
    request.finalCb = onFinal;
    const requests = this.#requests;
    const stream = new RequestStream(requests, request, onPartial !== undefined || onFinal !== undefined);
    request.stream = stream;
    return stream;
  }

  /**
   * @param {string} service
   * @param {any} data
   * @param {any} [opts]
   * @returns {RequestStream}
   */
  requestStream(service, data, opts) {
    return this.request(service, data, undefined, undefined, opts);
  }

  /**
   * @param {string} service
   * @param {any} data
   * @param {any} [opts]
   * @returns {Promise<any>}
   */
  call(service, data, opts) {
    // In here also what the arguments' checks throw becomes a rejection.
    return new Promise((resolve, reject) => {
      this.#send(service, data, opts).promise = { resolve, reject };
    });
  }

  /** @param {string | number} [rid] */
  heartbeat(rid) {
    if (rid === undefined || rid === null) {
      this.#requests.heartbeat(-1);
      return;
    }
    if (typeof rid !== 'string' && typeof rid !== 'number') {
      throw new TypeError(`rid must be a string, got ${given(rid)}`);
    }
    const id = Number(rid);
    if (id > 0) this.#requests.heartbeat(id);
  }

  /**
   * @param {string} service
   * @param {any} data
   * @param {any} opts
   */
  #send(service, data, opts) {
    if (service !== this.#service || service === undefined) this.#service = checkService(service);
    const options = this.#options.read(opts);
    return this.#requests.send(service, encode(data), options);
  }
}

exports.Client = Client;
