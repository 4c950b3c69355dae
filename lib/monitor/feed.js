'use strict';
// Live data for the page: snapshots and events, as server-sent events.

const { Recent, percentilesSince } = require('./recent');

/** @import { IncomingMessage, ServerResponse } from 'node:http' */
/** @import { Broker } from '../../index' */

const EVENTS = [
  'start',
  'stop',
  'workerReady',
  'workerGone',
  'clientGone',
  'requestExpired',
  'requestRejected',
  'queueFull',
  'limitReached',
  'descriptorsExhausted',
  'peerRefused',
  'denied',
  'badMessage',
];

/** How long snapshots are kept, so that a newly opened page has them at once. */
const HISTORY_MS = 10 * 60 * 1000;
const MAX_EVENTS = 200;
/** The maximum number of services with charts. */
const MAX_CHARTED = 200;
const MAX_READERS = 64;
/** A reader with this many unread bytes is sent nothing more. */
const MAX_BACKLOG = 4 * 1024 * 1024;

/** @import { Buckets } from './recent' */

class Feed {
  #broker;
  #ask;
  #interval;
  /** @type {Set<ServerResponse>} */
  #readers = new Set();
  /** @type {{ at: number, rows: Record<string, any> }[]} */
  #history = [];
  /** @type {{ at: number, event: string, payload: unknown }[]} */
  #events = [];
  /** The buckets of each service in the last snapshot. @type {Map<string, Buckets>} */
  #buckets = new Map();
  #recent = new Recent(HISTORY_MS, MAX_CHARTED);
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  /** @type {[string, (payload: unknown) => void][]} */
  #listeners = [];

  /**
   * @param {Broker} broker
   * @param {() => Promise<any>} ask requests a snapshot
   * @param {number} interval
   */
  constructor(broker, ask, interval) {
    this.#broker = broker;
    this.#ask = ask;
    this.#interval = interval;
    for (const event of EVENTS) {
      const listener = (/** @type {unknown} */ payload) => this.#happened(event, payload);
      this.#listeners.push([event, listener]);
      /** @type {any} */ (broker).on(event, listener);
    }
    this.#timer = setInterval(() => void this.#tick(), interval);
    this.#timer.unref();
  }

  close() {
    clearInterval(this.#timer);
    for (const [event, listener] of this.#listeners) /** @type {any} */ (this.#broker).off(event, listener);
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }

  /** @param {IncomingMessage} req @param {ServerResponse} res @param {{ canRequest: boolean }} facts */
  async add(req, res, { canRequest }) {
    if (this.#readers.size >= MAX_READERS) {
      res.writeHead(503, { 'Content-Type': 'text/plain', 'Retry-After': '10' });
      res.end('too many readers\n');
      return;
    }
    res.writeHead(200, { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' });
    req.on('close', () => this.#readers.delete(res));
    write(res, 'hello', {
      canRequest,
      interval: this.#interval,
      history: this.#history,
      events: this.#events,
    });
    this.#readers.add(res);
    await this.#tell(res);
  }

  /** @param {ServerResponse} res */
  async #tell(res) {
    const stats = await this.#ask().catch(() => undefined);
    if (stats !== undefined) write(res, 'stats', this.#page(stats));
  }

  /** @param {any} stats */
  #page(stats) {
    const { name, endpoints } = this.#broker;
    const at = Date.now();
    return {
      at,
      recent: this.#recent.of(stats.services, at),
      broker: { name, endpoints, pid: process.pid, rss: process.memoryUsage.rss(), uptime: process.uptime() },
      stats,
    };
  }

  async #tick() {
    const stats = await this.#ask().catch(() => undefined);
    if (stats === undefined) return;
    const now = Date.now();
    this.#recent.add(stats.services, now);
    const point = this.#summary(stats, now);
    this.#history.push(point);
    while (this.#history[0].at < now - HISTORY_MS) this.#history.shift();
    if (this.#readers.size === 0) return;
    const page = { ...this.#page(stats), point };
    for (const reader of this.#readers) write(reader, 'stats', page);
  }

  /** A snapshot in the form of the charts. @param {any} stats @param {number} at */
  #summary({ services }, at) {
    // A name may be that of a property of every object.
    /** @type {Record<string, number[]>} */
    const rows = Object.create(null);
    const last = this.#buckets;
    this.#buckets = new Map();
    for (const { name, counters, latency, queued, running } of services.slice(0, MAX_CHARTED)) {
      const errors = Object.values(counters.errors).reduce((/** @type {number} */ a, b) => a + Number(b), 0);
      const failed = counters.failures + errors;
      const times = percentilesSince(latency.total.buckets, last.get(name) ?? [], [50, 99]);
      this.#buckets.set(name, latency.total.buckets);
      rows[name] = [counters.requests, counters.replies + failed, failed, queued, running, ...times];
    }
    return { at, rows };
  }

  /** @param {string} event @param {unknown} payload */
  #happened(event, payload) {
    const entry = { at: Date.now(), event, payload };
    this.#events.push(entry);
    if (this.#events.length > MAX_EVENTS) this.#events.shift();
    for (const reader of this.#readers) write(reader, 'event', entry);
  }
}

/** @param {ServerResponse} res @param {string} event @param {unknown} data */
function write(res, event, data) {
  if (res.writableLength > MAX_BACKLOG) return;
  res.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

exports.Feed = Feed;
