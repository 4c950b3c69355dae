'use strict';

/** @import { Request } from './request' */

const WARN_MS = 1000;

/**
 * Those that have not warned. A process that ends within the second warns of them, because their requests do not
 * keep it alive.
 * @type {Set<Unstarted>}
 */
const silent = new Set();

function warnAll() {
  for (const one of silent) one.warn();
}

/**
 * The requests of a client that was never started: their timeouts run, and a warning names the missing call.
 * Neither keeps the process alive.
 */
class Unstarted {
  #expire;
  /** @type {NodeJS.Timeout | undefined} */
  #warning;
  /** The service of the first request. */
  #service = '';
  /** @type {Set<NodeJS.Timeout>} */
  #timers = new Set();

  /** @param {(request: Request) => void} expire ends the request, if it is outstanding */
  constructor(expire) {
    this.#expire = expire;
  }

  /** @param {Request} request */
  add(request) {
    if (this.#warning === undefined) {
      this.#service = request.service;
      this.#warning = setTimeout(() => this.warn(), WARN_MS).unref();
      if (silent.size === 0) process.on('beforeExit', warnAll);
      silent.add(this);
    }
    const { deadline = Infinity, timeout } = request;
    const patience = timeout < 0 ? deadline : Math.min(timeout, deadline);
    if (patience === Infinity) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#expire(request);
    }, patience).unref();
    this.#timers.add(timer);
  }

  warn() {
    this.#disarm();
    const message = `request "${this.#service}" waits, but its client was never started: call client.start()`;
    process.emitWarning(message, { code: 'OMDP_NOT_STARTED' });
  }

  #disarm() {
    clearTimeout(this.#warning);
    if (silent.delete(this) && silent.size === 0) process.off('beforeExit', warnAll);
  }

  /** The client was started. */
  end() {
    this.#disarm();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}

exports.Unstarted = Unstarted;
