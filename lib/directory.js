'use strict';
// The directory of services and workers: a client's queries to its broker by MMI, and how it follows changes.

const { onlyEndpoint } = require('./endpoints');
const { OmdpError } = require('./errors');
const { SERVICES_PER_PAGE, WORKERS_PER_PAGE } = require('./load');
const { splitVersion } = require('./options');

/** @import { Client } from './client' */

/**
 * @param {Client} client
 * @param {string} service one of the broker's own
 * @param {unknown} data
 * @param {any} [opts]
 * @returns {Promise<any>}
 */
async function ask(client, service, data, opts) {
  const answer = await client.call(service, data, opts);
  if (typeof answer === 'object' && answer !== null) return answer;
  throw new Error(`the broker does not support ${service}`);
}

/**
 * Requests all pages of a list.
 * @param {Client} client
 * @param {string} service
 * @param {(page: number) => unknown} question
 * @param {number} size the number of entries of a full page
 * @param {any} opts
 * @returns {Promise<any[]>}
 */
async function askAll(client, service, question, size, opts) {
  const all = [];
  for (let page = 0; ; page += 1) {
    const entries = await ask(client, service, question(page), opts);
    all.push(...entries);
    if (entries.length < size) return all;
  }
}

/** @param {number | null} since ms ago @returns {Date | null} */
function dateOf(since) {
  return since === null ? null : new Date(Date.now() - since);
}

/** @param {any} entry from `mmi.services` */
function serviceOf({ name, since, lastError, ...rest }) {
  const { since: ago, ...error } = lastError ?? {};
  return {
    name,
    ...splitVersion(name),
    ...rest,
    lastError: lastError === null ? null : { ...error, at: dateOf(ago) },
    started: dateOf(since),
  };
}

/** @param {any} entry from `mmi.workers` */
function workerOf({ since, silent, service, ...rest }) {
  return { ...rest, started: dateOf(since), lastHeard: dateOf(silent) };
}

/** @param {Client} client @param {any} opts */
async function services(client, opts) {
  const entries = await askAll(client, 'mmi.services', (page) => page, SERVICES_PER_PAGE, opts);
  return entries.map(serviceOf);
}

/** @param {Client} client @param {string} name @param {any} opts */
async function service(client, name, opts) {
  const [entry] = await ask(client, 'mmi.services', { service: name }, opts);
  if (entry === undefined) return null;
  const question = (/** @type {number} */ page) => ({ service: name, page });
  const workers = await askAll(client, 'mmi.workers', question, WORKERS_PER_PAGE, opts);
  return { ...serviceOf(entry), instances: workers.map(workerOf) };
}

/** @param {Client} client @param {string} name @param {any} opts @returns {Promise<number>} in ms */
async function ping(client, name, opts) {
  const began = performance.now();
  const status = await client.call('mmi.service', name, opts);
  const time = performance.now() - began;
  if (Number(status) !== 200) {
    const context = {
      service: name,
      elapsed: Math.round(time),
      endpoint: onlyEndpoint(client.endpoints),
    };
    throw new OmdpError('W_NONE', context);
  }
  return time;
}

/** The known state of one broker: its workers by service, and the number of the last event included. */
class View {
  /** @type {Map<string, Set<string>>} */
  #services = new Map();
  #broker = '';
  #last = -1;

  /** @param {Client} client @param {any} opts @returns {Promise<any[]>} the changes since the last call */
  async update(client, opts) {
    if (this.#last < 0) return this.#takeAll(await ask(client, 'mmi.directory', null, opts));
    const { broker, last, missed, events } = await ask(client, 'mmi.events', this.#last, opts);
    if (broker !== this.#broker || missed > 0 || last < this.#last) {
      return this.#takeAll(await ask(client, 'mmi.directory', null, opts));
    }
    this.#last = last;
    return events.flatMap((/** @type {any} */ { event, payload }) => {
      const { service, worker, reason } = payload;
      if (event === 'workerReady') return this.#came(service, worker);
      return event === 'workerGone' ? this.#went(service, worker, reason) : [];
    });
  }

  /** The identities of the workers by service. @returns {Record<string, string[]>} */
  list() {
    return Object.fromEntries([...this.#services].map(([service, workers]) => [service, [...workers]]));
  }

  /** @param {any} directory */
  #takeAll({ broker, last, services }) {
    this.#broker = broker;
    this.#last = last;
    const gone = [];
    for (const [service, workers] of this.#services) {
      // A name may be that of a property of every object.
      const left = new Set(Object.hasOwn(services, service) ? services[service] : []);
      for (const worker of workers)
        if (!left.has(worker)) gone.push(...this.#went(service, worker, 'missed'));
    }
    const came = Object.entries(services).flatMap(([service, workers]) =>
      /** @type {string[]} */ (workers).flatMap((worker) => this.#came(service, worker)),
    );
    return [...gone, ...came];
  }

  /** @param {string} service @param {string} worker */
  #came(service, worker) {
    const workers = this.#services.get(service) ?? new Set();
    // The list already includes this event, or the worker has registered again.
    if (workers.has(worker)) return [];
    workers.add(worker);
    this.#services.set(service, workers);
    return [{ type: 'ready', service, worker, workers: workers.size }];
  }

  /** @param {string} service @param {string} worker @param {string} reason */
  #went(service, worker, reason) {
    const workers = this.#services.get(service);
    if (!workers?.delete(worker)) return [];
    if (workers.size === 0) this.#services.delete(service);
    return [{ type: 'gone', service, worker, workers: workers.size, reason }];
  }
}

/** Errors after which a later query may succeed. */
const PASSING = new Set(['C_TIMEOUT', 'B_LOST', 'B_QUEUE_FULL', 'C_SLOW']);

/**
 * @param {Client} client
 * @param {{ interval: number, signal?: AbortSignal }} options
 */
function watch(client, { interval, signal }) {
  const iteration = new AbortController();
  const changes = follow(client, interval, iteration, signal);
  // A generator that waits for a change would not end before the next one.
  const endGenerator = changes.return.bind(changes);
  changes.return = (value) => {
    iteration.abort();
    return endGenerator(value);
  };
  return changes;
}

/**
 * @param {Client} client
 * @param {number} interval
 * @param {AbortController} iteration ends the iteration
 * @param {AbortSignal | undefined} given the application's, which ends it too
 */
async function* follow(client, interval, iteration, given) {
  const { signal } = iteration;
  const abort = () => iteration.abort();
  given?.addEventListener('abort', abort);
  const view = new View();
  try {
    while (!signal.aborted && !given?.aborted) {
      try {
        yield* await view.update(client, { signal });
      } catch (error) {
        const { code } = /** @type {{ code?: string }} */ (error);
        if (signal.aborted || code === 'C_STOPPED') return;
        if (!PASSING.has(String(code))) throw error;
      }
      await pause(interval, signal);
    }
  } finally {
    given?.removeEventListener('abort', abort);
  }
}

/** @param {number} ms @param {AbortSignal} signal @returns {Promise<void>} */
function pause(ms, signal) {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}

exports.View = View;
exports.ping = ping;
exports.service = service;
exports.services = services;
exports.watch = watch;
