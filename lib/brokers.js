'use strict';

const { Name, finder } = require('./discover');
const { checkBrokers, checkTransport, onlyEndpoint } = require('./endpoints');
const { secureClient } = require('./security');
const { attempt } = require('./waiter');

/** @import { Resolvers } from './discover' */

/**
 * How brokers are found.
 * @typedef {Resolvers & { discover: 'one' | 'all', discoverInterval: number }} Discovery
 */

/**
 * The brokers of a worker or client: the endpoints that its user gave, and the endpoints found behind them.
 */
class Brokers {
  /** The endpoints that the user gave. @type {readonly string[]} */
  given;
  /**
   * The endpoints of the brokers; empty until the first lookup of a name has ended.
   * @type {readonly string[]}
   */
  endpoints = [];
  #discovery;
  #check;
  /** @type {Map<string, Name>} */
  #names = new Map();
  #running = false;
  /** @type {(endpoints: string[]) => void} */
  #tellCore = () => {};
  /** @type {(event: string, payload: any) => void} */
  #emit = () => {};
  /** Why no broker could be reached, as far as is known. */
  #reason = '';

  /**
   * @param {readonly string[]} given checked
   * @param {Discovery} discovery
   * @param {(endpoints: readonly string[]) => void} check whether other endpoints are compatible with the
   * options, too
   */
  constructor(given, discovery, check) {
    this.#discovery = discovery;
    this.#check = check;
    this.given = given;
    this.#rename();
    this.endpoints = this.#list();
  }

  /** The endpoint of the broker, if there is exactly one. */
  get only() {
    return onlyEndpoint(this.endpoints);
  }

  /** For messages. */
  toString() {
    return this.given.join(', ');
  }

  /** For messages about a broker that is missing. */
  describeMissing() {
    if (this.#reason === '') return `no broker at ${this}`;
    return `no broker at ${this}: ${this.#reason.replace(`cannot connect to ${this}: `, '')}`;
  }

  /** @param {string} reason */
  unreachable(reason) {
    this.#reason = reason;
    this.lookUpSoon();
  }

  /** A broker has connected. */
  reached() {
    this.#reason = '';
  }

  /** @param {(endpoints: string[]) => void} tellCore @param {(event: string, payload: any) => void} emit */
  attach(tellCore, emit) {
    this.#tellCore = tellCore;
    this.#emit = emit;
  }

  /** @param {unknown} given */
  set(given) {
    const list = checkBrokers(given);
    list.forEach((each, index) => {
      checkTransport(each, Array.isArray(given) ? `endpoint[${index}]` : 'endpoint');
    });
    this.#check(list);
    this.given = list;
    this.#rename();
    this.#apply();
  }

  /** Starts the lookups, because the peer starts. */
  begin() {
    this.#running = true;
    for (const name of this.#names.values()) name.start();
  }

  /** Ends the lookups, because the peer has stopped. */
  end() {
    this.#running = false;
    for (const name of this.#names.values()) name.stop();
  }

  /** Looks the names up soon, because a broker is unreachable. */
  lookUpSoon() {
    for (const name of this.#names.values()) name.lookUpSoon();
  }

  /** Updates the set of names that are looked up. */
  #rename() {
    const { discover, discoverInterval } = this.#discovery;
    const old = this.#names;
    this.#names = new Map();
    for (const endpoint of this.given) {
      const find = finder(endpoint, discover === 'all', this.#discovery);
      if (find === undefined) continue;
      const onError = (/** @type {any} */ error) => {
        const { code = 'ENOTFOUND', message = String(error) } = error ?? {};
        const reason = `cannot look up the brokers: ${message}`;
        this.#reason = reason;
        attempt(() => this.#emit('unreachable', { endpoint, code: String(code), reason }));
      };
      const onFound = () => this.#apply();
      const name = old.get(endpoint) ?? new Name(endpoint, discoverInterval, find, onFound, onError);
      this.#names.set(endpoint, name);
      if (this.#running && !old.has(endpoint)) name.start();
    }
    for (const [endpoint, name] of old) {
      if (!this.#names.has(endpoint)) name.stop();
    }
  }

  #list() {
    return [...new Set(this.given.flatMap((endpoint) => this.#names.get(endpoint)?.found ?? [endpoint]))];
  }

  #apply() {
    const list = this.#list();
    const old = new Set(this.endpoints);
    if (list.length === old.size && list.every((each) => old.has(each))) return;
    // Brokers behind a name that was not found yet do not replace the present ones.
    if (list.length === 0 && this.#running) return;
    this.endpoints = Object.freeze(list);
    this.#tellCore(list);
    attempt(() => this.#emit('endpoints', this.endpoints));
  }
}

/**
 * The brokers at these endpoints, and the configuration of the native half, for the options of a worker or client.
 * @param {readonly string[]} endpoints checked
 * @param {any} options checked
 */
function brokersOf(endpoints, { discover, discoverInterval, lookup, resolveSrv, ...rest }) {
  const secured = secureClient(rest, endpoints);
  const discovery = { discover, discoverInterval, lookup, resolveSrv };
  const brokers = new Brokers(endpoints, discovery, (others) => secureClient(rest, others));
  return { brokers, conf: { ...secured, endpoints: brokers.endpoints } };
}

exports.Brokers = Brokers;
exports.brokersOf = brokersOf;
