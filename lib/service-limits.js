'use strict';

const { performance } = require('node:perf_hooks');
const { afterWait } = require('./attempt-field');

/**
 * The arguments with which a request is delivered: the first is its id, the eighth the field with its attempt.
 * @typedef {[number, number, number, number, string, number, any, number, number, number]} Request
 */

/**
 * The limits of services that have a concurrency of their own. A broker does not give such a service more than its
 * limit. But several brokers together may, and so may one while a cancelled handler continues. Requests beyond the limit
 * wait here.
 */
class ServiceLimits {
  #limits;
  #deliver;
  /** The number of running requests of each service. */
  #running;
  /** The services of the running requests. @type {Map<number, number>} */
  #services = new Map();
  /**
   * The requests of each service that wait, by their ids in their order, and since when they wait.
   * @type {Map<number, { request: Request, since: number }>[]}
   */
  #waiting;
  /** The number of requests that wait. */
  waiting = 0;

  /**
   * @param {readonly number[]} limits that of each service, -1 for none
   * @param {(...request: Request) => void} deliver starts a request that has waited
   */
  constructor(limits, deliver) {
    this.#limits = limits;
    this.#deliver = deliver;
    this.#running = limits.map(() => 0);
    this.#waiting = limits.map(() => new Map());
  }

  /**
   * Whether a request may start. If it may, it counts until `end` is called; otherwise it waits.
   * @param {number} service the index of its service
   * @param {Request} request
   */
  admit(service, request) {
    const waiting = this.#waiting[service];
    if (this.#hasRoom(service) && waiting.size === 0) {
      this.#begin(service, request[0]);
      return true;
    }
    waiting.set(request[0], { request, since: performance.now() });
    this.waiting += 1;
    return false;
  }

  /**
   * A request that was running has ended: one of the same service that waits gets its place. Later, because a handler
   * that ends at once would call the next one, and that one the one after it.
   * @param {number} id
   */
  end(id) {
    const service = this.#services.get(id);
    if (service === undefined) return;
    this.#services.delete(id);
    this.#running[service] -= 1;
    if (this.#waiting[service].size === 0) return;
    queueMicrotask(() => {
      const next = this.#next(service);
      if (next !== undefined) this.#deliver(...next);
    });
  }

  /**
   * The next request of a service that may start, with less time left until its deadline; it counts as running.
   * @param {number} service
   * @returns {Request | undefined}
   */
  #next(service) {
    if (!this.#hasRoom(service)) return undefined;
    for (const [id, { request, since }] of this.#waiting[service]) {
      this.drop(id);
      this.#begin(service, id);
      request[7] = afterWait(request[7], performance.now() - since);
      return request;
    }
    return undefined;
  }

  /** Forgets a request that waits. Returns whether there was one. @param {number} id */
  drop(id) {
    const dropped = this.#waiting.some((waiting) => waiting.delete(id));
    if (dropped) this.waiting -= 1;
    return dropped;
  }

  clear() {
    this.#running.fill(0);
    this.#services.clear();
    for (const waiting of this.#waiting) waiting.clear();
    this.waiting = 0;
  }

  /** @param {number} service */
  #hasRoom(service) {
    const limit = this.#limits[service];
    return limit === -1 || this.#running[service] < limit;
  }

  /** @param {number} service @param {number} id */
  #begin(service, id) {
    this.#running[service] += 1;
    this.#services.set(id, service);
  }
}

exports.ServiceLimits = ServiceLimits;
