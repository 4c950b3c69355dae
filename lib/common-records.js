'use strict';
// The records from the native side that all roles have in common.

const { OmdpError } = require('./errors');
const { Kind } = require('./load');
const { LargeJson } = require('./values');

/** @import { Brokers } from './brokers' */
/** @import { Blob, Take } from './inbox' */
/** @import { Outbox } from './outbox' */
/** @import { Peer, State } from './peer' */
/** @import { Snapshots } from './stats' */

const STATS = Kind.Stats;
const STARTED = Kind.Started;
const START_FAILED = Kind.StartFailed;
const STOPPED = Kind.Stopped;
const CONNECT = Kind.Connect;
const DISCONNECT = Kind.Disconnect;
const EVENT = Kind.Event;
const CREDIT = Kind.Credit;

/** Whether a record is one of these; their numbers are consecutive. @param {number} kind */
const isCommon = (kind) => kind >= STATS && kind < CREDIT;

/**
 * The members of a peer that its role uses.
 * @typedef {object} PeerContext
 * @property {Peer} peer
 * @property {any} core
 * @property {Outbox} outbox
 * @property {() => void} refresh
 * @property {() => void} roomy
 * @property {(take: (kind: number, id: number, n: number) => void) => void} takeLast
 */

/**
 * The part of a peer that handles the records of its role.
 * @typedef {object} Role
 * @property {(context: PeerContext) => void} attach
 * @property {Take} take
 * @property {(state: State, patience: number) => boolean} keepsAlive whether this peer keeps the process alive
 * while it is not stopped; `patience` is the timeout of a stop, -1 without limit
 * @property {(now: number) => void} [timed] called with the time when a drain begins, and whenever the clock
 * is read in it
 * @property {() => number} [room] how many more requests can start now; only of workers
 * @property {() => void} [startCalled]
 * @property {(discard?: boolean) => void} stopCalled
 * @property {boolean} [waits] whether a stop without a timeout waits for running requests
 * @property {(done: () => void) => void} [drain] accepts no new requests, and calls `done` when none is
 * outstanding
 * @property {(up: boolean) => void} [connected] a connection to a broker was opened or lost
 * @property {() => void} [opened] the native side accepts records from now on
 * @property {(error: Error) => void} [startFailed]
 * @property {(text: string) => void} [started]
 * @property {readonly string[]} [endpoints] the bound endpoints of a broker
 * @property {(native: any) => any} stats makes the user's snapshot
 * @property {() => void} stopped
 */

/**
 * Takes the reports about the starts and stops of a peer. `start` is the number of the start to which a report belongs.
 * @typedef {object} LifecycleReports
 * @property {(start: number, text: string) => void} started
 * @property {(start: number, code: string, message: string) => void} startFailed
 * @property {(start: number) => void} stopped
 */

/** Passes the common records on: to the application as events, to the snapshots, and to the peer itself. */
class CommonRecords {
  #peer;
  #role;
  #snapshots;
  #brokers;
  #reports;

  /**
   * @param {Peer} peer
   * @param {Role} role
   * @param {Snapshots} snapshots
   * @param {Brokers | undefined} brokers
   * @param {LifecycleReports} reports
   */
  constructor(peer, role, snapshots, brokers, reports) {
    this.#peer = peer;
    this.#role = role;
    this.#snapshots = snapshots;
    this.#brokers = brokers;
    this.#reports = reports;
  }

  /**
   * @param {number} kind
   * @param {number} id
   * @param {number} a length of the first text
   * @param {number} b length of the second text
   * @param {string} text
   * @param {number} at
   * @param {Blob | undefined} blob
   */
  take(kind, id, a, b, text, at, blob) {
    const first = textOf(blob, text, at, a);
    const second = text.slice(at + a, at + a + b);
    if (first === null) {
      // An event that is too large is dropped, as are events that exceed the queue.
      if (kind === STATS) this.#snapshots.refuse(id);
    } else if (kind === CONNECT) {
      this.#role.connected?.(true);
      this.#brokers?.reached();
      this.#peer.emit('connect', first);
    } else if (kind === DISCONNECT) {
      this.#role.connected?.(false);
      this.#brokers?.lookUpSoon();
      this.#peer.emit('disconnect', first, second);
    } else if (kind === EVENT) this.#event(first, second);
    else if (kind === STATS) this.#snapshots.take(id, first);
    else if (kind === STARTED) this.#reports.started(id, first);
    else if (kind === START_FAILED) this.#reports.startFailed(id, first, second);
    else if (kind === STOPPED) this.#reports.stopped(id);
  }

  /** @param {string} name @param {string} json */
  #event(name, json) {
    if (name === 'unreachable') this.#brokers?.unreachable(JSON.parse(json).reason);
    if (name === 'refused') this.#refused(JSON.parse(json));
    else if (name !== 'error' || this.#peer.listenerCount('error') > 0) {
      this.#peer.emit(name, JSON.parse(json));
    }
  }

  /**
   * The broker refuses this peer. It continues to try, at growing intervals, unless another peer has its
   * name.
   * @param {{ endpoint: string, reason: string, code?: string }} what
   */
  #refused({ endpoint, reason, code = 'B_REFUSED' }) {
    if (this.#peer.listenerCount('error') === 0) return;
    const error = new OmdpError(/** @type {any} */ (code), {
      message: `the broker at ${endpoint} refused this peer: ${reason}`,
    });
    this.#peer.emit('error', Object.assign(error, { endpoint, reason }));
  }
}

/**
 * The first text of a record; null for a text that JavaScript cannot hold.
 * @param {Blob | undefined} blob
 * @param {string} text
 * @param {number} at
 * @param {number} length
 * @returns {string | null}
 */
function textOf(blob, text, at, length) {
  if (blob instanceof LargeJson) return blob.text;
  return blob === null ? null : text.slice(at, at + length);
}

exports.CommonRecords = CommonRecords;
exports.isCommon = isCommon;
