'use strict';

/**
 * One listener per AbortSignal however many requests share it: cheaper, and Node 20 warns of a leak at the
 * eleventh listener on one signal.
 * @template T
 */
class Signals {
  #onAbort;
  /** @type {Map<AbortSignal, { waiting: Set<T>, listener: () => void }>} */
  #watched = new Map();

  /** @param {(waiting: T, reason: unknown) => void} onAbort called once for each that waits */
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
