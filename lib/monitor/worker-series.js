'use strict';

/** @import { BrokerStats } from '../../index' */

/** @typedef {{ ended: number, failed: number, rejected: number }} Counts */
/** @typedef {BrokerStats['workers'][number]} WorkerStats */

const COUNTS = /** @type {const} */ (['ended', 'failed', 'rejected']);

/** @param {Counts} into @param {Counts} from */
function add(into, from) {
  for (const key of COUNTS) into[key] += from[key];
}

/** @returns {Counts} */
const none = () => ({ ended: 0, failed: 0, rejected: 0 });

/**
 * Decides which workers have series of their own, and adds up the counts of the others. A worker keeps its
 * series while it is connected, and what the others have counted stays counted when they leave, so that no
 * counter decreases.
 */
class WorkerSeries {
  #max;
  #reserved;
  /** The workers with series, by service and name. @type {Set<string>} */
  #own = new Set();
  /** The last counts of the other connected workers. @type {Map<string, Counts>} */
  #last = new Map();
  #total = none();

  /** @param {number} max @param {string} reserved the name of the common series */
  constructor(max, reserved) {
    this.#max = max;
    this.#reserved = reserved;
  }

  /**
   * @param {readonly WorkerStats[]} workers
   * @returns {{ own: WorkerStats[], others: Counts & { running: number } | undefined }} undefined if there
   * has been no other worker
   */
  update(workers) {
    const here = new Set(workers.map(keyOf));
    for (const key of this.#own) if (!here.has(key)) this.#own.delete(key);
    for (const key of this.#last.keys()) if (!here.has(key)) this.#last.delete(key);
    /** @type {Map<string, Counts>} */
    const others = new Map();
    /** @type {WorkerStats[]} */
    const own = [];
    const seen = new Set();
    let running = 0;
    for (const worker of workers) {
      const key = keyOf(worker);
      // Two names may be equal as text.
      if (!seen.has(key) && this.#has(key, worker)) own.push(worker);
      else {
        running += worker.running;
        const counts = others.get(key) ?? none();
        add(counts, worker);
        others.set(key, counts);
      }
      seen.add(key);
    }
    for (const [key, counts] of others) {
      const last = this.#last.get(key);
      for (const name of COUNTS) {
        // A worker that registers again begins at 0.
        const before = last === undefined || counts[name] < last[name] ? 0 : last[name];
        this.#total[name] += counts[name] - before;
      }
      this.#last.set(key, counts);
    }
    const any = others.size > 0 || this.#total.ended + this.#total.rejected > 0;
    return { own, others: any ? { ...this.#total, running } : undefined };
  }

  /** @param {string} key @param {WorkerStats} worker */
  #has(key, { name }) {
    if (this.#own.has(key)) return true;
    if (name === this.#reserved || this.#last.has(key) || this.#own.size >= this.#max) return false;
    this.#own.add(key);
    return true;
  }
}

/** @param {WorkerStats} worker */
function keyOf({ service, name }) {
  return JSON.stringify([service, name]);
}

exports.WorkerSeries = WorkerSeries;
