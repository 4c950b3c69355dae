'use strict';
// The brokers behind a name: all of its addresses or its SRV records, followed as they change.

const dns = require('node:dns');
const net = require('node:net');
const { given } = require('./describe');

/** The minimum interval of lookups of a name, and the pause after the first failed one, in ms. */
const PAUSE = 1000;

/** An endpoint with a host name, whose addresses may each be a broker. */
const NAME = /^tcp:\/\/([^/:;[\]*]+):([0-9]+)$/;
/** An endpoint with a name whose SRV records are brokers. */
const SRV = /^tcp\+srv:/;
const SRV_NAME = /^tcp\+srv:\/\/([^/:;[\]*\s]+)$/;

/** @typedef {{ lookup?: Function, resolveSrv?: Function }} Resolvers */

/**
 * Calls a function that has the interface of Node's `dns` or of its `dns.promises`.
 * @param {Function} ask
 * @param {any[]} args
 * @returns {Promise<any[]>} the arguments of its callback after the error
 */
function ask(ask, args) {
  return new Promise((resolve, reject) => {
    const result = ask(...args, (/** @type {any} */ error, /** @type {any[]} */ ...values) => {
      if (error) reject(error);
      else resolve(values);
    });
    if (typeof result?.then === 'function')
      result.then((/** @type {any} */ value) => resolve([value]), reject);
  });
}

/**
 * The addresses of a host, of one family, because the same broker listens on both.
 * @param {Resolvers} resolvers
 * @param {string} host
 * @param {string} port
 * @returns {Promise<string[]>}
 */
async function addresses({ lookup = dns.lookup }, host, port) {
  const [found] = await ask(lookup, [host, { all: true }]);
  // A `lookup` of the application may also return a single address, or strings as `dns.resolve4` does.
  const list = typeof found === 'string' || 'address' in Object(found) ? [found] : found;
  if (!Array.isArray(list)) {
    throw new TypeError(`the lookup of ${host} must return an array, got ${given(found)}`);
  }
  const addresses = list.map((each) => (typeof each === 'string' ? each : Object(each).address));
  const families = addresses.map((address, at) => {
    const kind = typeof address === 'string' ? net.isIP(address) : 0;
    if (kind !== 0) return kind;
    throw new TypeError(`the lookup of ${host} must return IP addresses, got ${given(address ?? list[at])}`);
  });
  const of = addresses.filter((_, at) => families[at] === families[0]);
  return of.map((address) => `tcp://${families[0] === 6 ? `[${address}]` : address}:${port}`);
}

/**
 * The targets of the records with the lowest priority.
 * @param {Resolvers} resolvers
 * @param {string} name
 * @returns {Promise<string[]>}
 */
async function targets({ resolveSrv = dns.resolveSrv }, name) {
  const [records] = await ask(resolveSrv, [name]);
  if (!Array.isArray(records)) {
    throw new TypeError(`the lookup of ${name} must return an array, got ${given(records)}`);
  }
  for (const record of records) checkRecord(record, name);
  const first = Math.min(...records.map(({ priority = 0 }) => priority));
  const of = records.filter(({ priority = 0 }) => priority === first);
  return of.map(({ name: target, port }) => `tcp://${String(target).replace(/\.$/, '')}:${port}`);
}

/** @param {any} record @param {string} name */
function checkRecord(record, name) {
  const { name: target, port } = Object(record);
  if (typeof target === 'string' && target !== '' && Number.isInteger(port) && port > 0 && port < 65536)
    return;
  throw new TypeError(`the lookup of ${name} must return records with name and port, got ${shown(record)}`);
}

/** @param {unknown} record */
function shown(record) {
  try {
    return JSON.stringify(record) ?? given(record);
  } catch {
    return given(record);
  }
}

/** One name and the result of its last successful lookup. */
class Name {
  /** @type {readonly string[]} */
  found = [];
  #endpoint;
  #interval;
  #find;
  #onFound;
  #onError;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  #running = false;
  #looking = false;
  /** When the last lookup ended, and when the next one begins. */
  #looked = -Infinity;
  #due = Infinity;
  #failures = 0;

  /**
   * @param {string} endpoint as given
   * @param {number} interval
   * @param {() => Promise<string[]>} find
   * @param {() => void} onFound
   * @param {(error: any) => void} onError
   */
  constructor(endpoint, interval, find, onFound, onError) {
    this.#endpoint = endpoint;
    this.#interval = interval;
    this.#find = find;
    this.#onFound = onFound;
    this.#onError = onError;
  }

  start() {
    this.#running = true;
    this.#look();
  }

  stop() {
    this.#running = false;
    clearTimeout(this.#timer);
  }

  /** Brings the next lookup forward, because the last result may be outdated. */
  lookUpSoon() {
    const due = Math.max(this.#looked + PAUSE, performance.now());
    if (this.#running && !this.#looking && due < this.#due) this.#lookAt(due);
  }

  /** @param {number} due */
  #lookAt(due) {
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => this.#look(), due - performance.now()).unref();
  }

  async #look() {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const found = [...new Set(await this.#find())].sort();
      // An empty result is more likely an error than the end of all brokers.
      if (found.length === 0) throw new Error(`the lookup of ${this.#endpoint} found no address`);
      this.found = found;
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      if (this.#running) this.#onError(error);
    }
    this.#looking = false;
    this.#looked = performance.now();
    if (!this.#running) return;
    if (this.#failures === 0) this.#onFound();
    const pause = this.#failures === 0 ? this.#interval : PAUSE * 2 ** Math.min(this.#failures - 1, 20);
    if (this.#running) this.#lookAt(this.#looked + Math.min(pause, this.#interval));
  }
}

/**
 * The lookup for an endpoint; undefined if the endpoint is itself a broker.
 * @param {string} endpoint
 * @param {boolean} all whether each address of a name is a broker
 * @param {Resolvers} resolvers
 * @returns {(() => Promise<string[]>) | undefined}
 */
function finder(endpoint, all, resolvers) {
  const [, srv] = SRV_NAME.exec(endpoint) ?? [];
  if (srv !== undefined) return () => targets(resolvers, srv);
  const [, host, port] = (all && NAME.exec(endpoint)) || [];
  if (host === undefined || net.isIP(host) !== 0) return undefined;
  return () => addresses(resolvers, host, port);
}

/** @param {string} endpoint */
function isMalformedSrv(endpoint) {
  return SRV.test(endpoint) && !SRV_NAME.test(endpoint);
}

exports.Name = Name;
exports.finder = finder;
exports.isMalformedSrv = isMalformedSrv;
