'use strict';
// Rates and times of services over the last minutes.

const { Ledger } = require('./ledger');

/** @import { BrokerStats } from '../../index' */

/** The time between two snapshots that are kept, in ms. */
const STEP_MS = 30_000;

/** The snapshots of the last minutes. */
class SnapshotHistory {
  #span;
  /** The ledger is undefined at the start of the broker. @type {{ at: number, ledger: Ledger | undefined }[]} */
  #kept = [];

  /** @param {number} span in ms */
  constructor(span) {
    this.#span = span;
  }

  /** The broker was started: all counts begin at 0. @param {number} now in ms */
  begin(now) {
    this.#kept = [{ at: now, ledger: undefined }];
  }

  /**
   * Takes a snapshot into account.
   * @param {BrokerStats} stats
   * @param {number} now in ms
   * @returns {{ ledger: Ledger, before: Ledger | undefined, seconds: number }} with the oldest snapshot of the span
   */
  add(stats, now) {
    const last = this.#kept.at(-1);
    const ledger = new Ledger(stats, last?.ledger);
    if (last === undefined || now - last.at >= STEP_MS) this.#kept.push({ at: now, ledger });
    while (this.#kept[0].at < now - this.#span) this.#kept.shift();
    const [oldest] = this.#kept;
    return { ledger, before: oldest.ledger, seconds: Math.max(1, (now - oldest.at) / 1000) };
  }
}

exports.SnapshotHistory = SnapshotHistory;
