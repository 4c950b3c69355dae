'use strict';

const { ClientCore } = require('./load');
const { brokersOf } = require('./brokers');
const { callAll, checkCallAll } = require('./call-all');
const { isObject } = require('./checks');
const { ConnectingPeer } = require('./connecting-peer');
const { given } = require('./describe');
const { DescribedOptions } = require('./described-options');
const directory = require('./directory');
const { checkBrokers } = require('./endpoints');
const { transfer } = require('./transferred');
const { callback } = require('./checks');
const { checkConf, checkOptions, shownConf } = require('./options');
const { OptionsReader } = require('./request-options');
const { Requests } = require('./requests');
const { RequestStream } = require('./response');
const { parse } = require('./schema');
const { Scope } = require('./scope');
const { checkService } = require('./services');
const { within } = require('./size');
const { Source } = require('./source');
const { begin, isRequestTraced, requests: channel, sizeOf } = require('./tracing');
const { encode, isStream } = require('./values');

/** @import { RequestOptions } from './request-options' */
/** @import { ServiceSchema } from './schema' */
/** @import { Message } from './tracing' */
/** @import { Body } from './values' */

/** Makes requests to services. */
class Client extends ConnectingPeer {
  #requests;
  #options;
  #described;
  /** Whether `error` events of streams carry bare values and codes. */
  #bare;
  #maxMessageSize;
  /** @type {Map<string, ServiceSchema> | undefined} */
  #schemas;
  #protocol;
  #takeStream;
  /** The service of the last request, which need not be checked again. @type {string | undefined} */
  #service;

  /**
   * @param {string | readonly string[]} endpoint
   * @param {object} [conf]
   */
  constructor(endpoint, conf) {
    const endpoints = checkBrokers(endpoint);
    const checked = checkConf('client', conf);
    const { timeout, errorValues, schemas, ...rest } = checked;
    const { brokers, conf: native } = brokersOf(endpoints, rest);
    const requests = new Requests(brokers);
    super(ClientCore, native, requests, shownConf('client', checked), brokers);
    this.#requests = requests;
    this.#maxMessageSize = rest.maxMessageSize;
    this.#protocol = rest.protocol;
    this.#takeStream = (/** @type {any} */ stream) => new Source(stream, rest.maxMessageSize);
    this.#options = new OptionsReader(timeout, rest.protocol);
    this.#described = new DescribedOptions(rest.protocol);
    this.#bare = errorValues;
    this.#schemas = schemas;
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
    // PIGATO permits options in place of callbacks.
    if (isObject(partialCb) && finalCb === undefined && opts === undefined) {
      return this.requestStream(service, data, partialCb);
    }
    const onPartial = callback(partialCb, 'partialCb');
    const onFinal = callback(finalCb, 'finalCb');
    const request = this.#send(service, data, opts);
    request.scope ??= new Scope('zmq-omdp.request');
    request.partialCb = onPartial;
    request.finalCb = onFinal;
    const requests = this.#requests;
    const withCallbacks = onPartial !== undefined || onFinal !== undefined;
    const stream = new RequestStream(requests, request, withCallbacks, withCallbacks || this.#bare);
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
    // Errors of the argument checks become rejections, too.
    return new Promise((resolve, reject) => {
      this.#send(service, data, opts).promise = { resolve, reject };
    });
  }

  /** @param {string} service @param {any} [data] @param {any} [options] */
  callAll(service, data, options) {
    if (this.#protocol !== 'omdp') throw new TypeError(`callAll() cannot be used under ${this.#protocol}`);
    if (isStream(data)) throw new TypeError('a stream cannot be sent to all workers of a service');
    return callAll(this, checkService(service), data, checkCallAll(options));
  }

  /** @param {any} [opts] */
  services(opts) {
    return directory.services(this, opts);
  }

  /** @param {string} service @param {any} [opts] */
  async service(service, opts) {
    return directory.service(this, checkService(service), opts);
  }

  /** @param {string} service @param {any} [opts] */
  async ping(service, opts) {
    return directory.ping(this, checkService(service), opts);
  }

  /** @param {any} [options] */
  watchServices(options) {
    if (this.#requests.endpoint === undefined) {
      throw new TypeError('watchServices() requires a client of one broker');
    }
    return directory.watch(this, checkOptions('watchServices', options));
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
    if (this.#schemas !== undefined) return this.#sendChecked(service, data, options);
    return this.#sendBody(service, data, options);
  }

  /**
   * Sends a request after a check against the schema; streams are not checked.
   * @param {string} service
   * @param {any} data
   * @param {RequestOptions} options
   */
  #sendChecked(service, data, options) {
    const schema = this.#schemas?.get(service);
    if (!isStream(data)) parse(schema, 'request', service, data ?? null);
    const request = this.#sendBody(service, data, options);
    request.schema = schema;
    return request;
  }

  /**
   * @param {string} service
   * @param {any} data
   * @param {RequestOptions} options
   */
  #sendBody(service, data, options) {
    const body = encode(data, this.#takeStream);
    if (body instanceof Source) {
      if (options.transfer) body.transferParts();
      return this.#sendStream(service, body, options);
    }
    within(body, this.#maxMessageSize);
    if (isRequestTraced()) return this.#sendTraced(service, body, options);
    return this.#requests.send(service, options.transfer ? transfer(body) : body, options);
  }

  /**
   * @param {string} service
   * @param {Source} source
   * @param {RequestOptions} options
   */
  #sendStream(service, source, options) {
    if (this.#options.retries(options)) {
      throw new TypeError(
        'option "retry" cannot be used with a stream: parts that were read cannot be read again',
      );
    }
    if (this.#protocol !== 'omdp') throw new TypeError(`a stream cannot be sent under ${this.#protocol}`);
    if (isRequestTraced()) return this.#sendTraced(service, '', options, source);
    return this.#requests.send(service, '', options, source);
  }

  /**
   * Subscribers of `start` may add headers to the message; they are sent with the request.
   * @param {string} service
   * @param {Body} body
   * @param {RequestOptions} options
   * @param {Source} [source] in place of the body
   */
  #sendTraced(service, body, options, source) {
    const { timeout, deadline, retry, failFast, headers, others } = this.#described.describe(options);
    // All members from the start, because adding them later costs more.
    /** @type {Message} */
    const message = {
      service,
      client: this.name,
      broker: this.#requests.endpoint,
      size: sizeOf(body),
      timeout,
      deadline,
      retry,
      failFast,
      headers: headers && { ...headers },
      worker: undefined,
      partials: 0,
      replySize: 0,
      rid: String(this.#requests.nextId),
      attempt: 1,
      startTime: performance.now(),
      duration: undefined,
    };
    if (others !== undefined) Object.assign(message, { ...others, ...message });
    return begin(channel, message, this.#sendBegun, this, service, body, options, source);
  }

  /**
   * @param {Message} message
   * @param {string} service
   * @param {Body} body
   * @param {RequestOptions} options
   * @param {Source} [source]
   */
  #sendBegun(message, service, body, options, source) {
    const sent = this.#described.withHeaders(options, message.headers);
    // Last: a call that throws leaves the bytes as they were.
    const request = this.#requests.send(service, options.transfer ? transfer(body) : body, sent, source);
    // A subscriber of `start` may have made another request.
    message.rid = String(request.id);
    request.trace = message;
    request.scope = new Scope('zmq-omdp.request');
    return request;
  }
}

exports.Client = Client;
