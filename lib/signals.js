'use strict';

/**
 * One listener for each AbortSignal, however many requests share it: it is cheaper, and Node.js 20 warns of a
 * leak at the eleventh listener of a signal.
 * @template T
 */
class Signals {
  #onAbort;
  /** @type {Map<AbortSignal, { waiting: Set<T>, listener: () => void }>} */
  #watched = new Map();

  /** @param {(waiting: T, reason: unknown) => void} onAbort called once for each watcher of a signal */
  constructor(onAbort) {
    this.#onAbort = onAbort;
  }

  /** @param {AbortSignal} signal @param {T} waiting */
  watch(signal, waiting) {
    const entry = this.#watched.get(signal);
    if (entry !== undefined) {
      entry.waiting.add(waiting);
      return;
    }
    const listener = () => this.#aborted(signal);
    this.#watched.set(signal, { waiting: new Set([waiting]), listener });
    signal.addEventListener('abort', listener, { once: true });
  }

  /** @param {AbortSignal} signal @param {T} waiting */
  unwatch(signal, waiting) {
    const entry = this.#watched.get(signal);
    if (entry === undefined) return;
    entry.waiting.delete(waiting);
    if (entry.waiting.size > 0) return;
    this.#watched.delete(signal);
    signal.removeEventListener('abort', entry.listener);
  }

  /** @param {AbortSignal} signal */
  #aborted(signal) {
    const entry = this.#watched.get(signal);
    if (entry === undefined) return;
    this.#watched.delete(signal);
    for (const waiting of entry.waiting) this.#onAbort(waiting, signal.reason);
  }
}

exports.Signals = Signals;
