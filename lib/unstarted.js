'use strict';

/** @import { Request } from './requests' */

const WARN_MS = 1000;

/**
 * The requests of a client that was never started: their timeouts run, and a warning names the missing call.
 * Neither keeps the process alive.
 */
class Unstarted {
  #expire;
  /** @type {NodeJS.Timeout | undefined} */
  #warning;
  /** @type {Set<NodeJS.Timeout>} */
  #timers = new Set();

  /** @param {(request: Request) => void} expire ends the request, if it is outstanding */
  constructor(expire) {
    this.#expire = expire;
  }

  /** @param {Request} request */
  add(request) {
    this.#warning ??= setTimeout(() => {
      const message = `request "${request.service}" waits, but its client was never started: call client.start()`;
      process.emitWarning(message, { code: 'OMDP_NOT_STARTED' });
    }, WARN_MS).unref();
    const { deadline = Infinity, timeout } = request;
    const patience = timeout < 0 ? deadline : Math.min(timeout, deadline);
    if (patience === Infinity) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#expire(request);
    }, patience).unref();
    this.#timers.add(timer);
  }

  /** The client was started. */
  end() {
    clearTimeout(this.#warning);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}

exports.Unstarted = Unstarted;
