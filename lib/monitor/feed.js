'use strict';
// Live data for the page: snapshots and events, as server-sent events.

const { follow } = require('./broker-events');
const { ChartHistory } = require('./chart-history');
const { peerRows, serviceRows } = require('./page-rows');
const { SnapshotHistory } = require('./snapshot-history');

/** @import { ServerResponse } from 'node:http' */
/** @import { Broker, BrokerStats } from '../../index' */

/** How long snapshots are kept, so that a newly opened page has them at once. */
const HISTORY_MS = 10 * 60 * 1000;
const MAX_EVENTS = 200;
const MAX_READERS = 64;
/** A reader with this many unread bytes is sent nothing more. */
const MAX_BACKLOG = 4 * 1024 * 1024;

class Feed {
  #broker;
  #ask;
  #interval;
  /** @type {Set<ServerResponse>} */
  #readers = new Set();
  /** @type {{ at: number, event: string, payload: unknown }[]} */
  #events = [];
  #history = new ChartHistory(HISTORY_MS);
  #recent = new SnapshotHistory(HISTORY_MS);
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  #unfollow;

  /**
   * @param {Broker} broker
   * @param {() => Promise<BrokerStats>} ask requests a snapshot
   * @param {number} interval
   */
  constructor(broker, ask, interval) {
    this.#broker = broker;
    this.#ask = ask;
    this.#interval = interval;
    this.#unfollow = follow(broker, (event, payload) => this.#happened(event, payload));
    // At once: rates are those since the first snapshot.
    void this.#tick();
    this.#timer = setInterval(() => void this.#tick(), interval);
    this.#timer.unref();
  }

  close() {
    clearInterval(this.#timer);
    this.#unfollow();
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }

  /** @param {ServerResponse} res @param {{ canRequest: boolean }} facts */
  async add(res, { canRequest }) {
    if (this.#readers.size >= MAX_READERS) {
      res.writeHead(503, { 'Content-Type': 'text/plain', 'Retry-After': '10' });
      res.end('too many readers\n');
      return;
    }
    res.writeHead(200, { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' });
    // Not the request's, which may have been read to its end before.
    res.on('close', () => this.#readers.delete(res));
    write(res, 'hello', {
      canRequest,
      interval: this.#interval,
      history: this.#history.points,
      historyMs: HISTORY_MS,
      events: this.#events,
    });
    this.#readers.add(res);
    await this.#tell(res);
  }

  /** @param {ServerResponse} res */
  async #tell(res) {
    const stats = await this.#ask().catch(() => undefined);
    if (stats === undefined) return;
    const at = Date.now();
    write(res, 'stats', this.#page(stats, this.#recent.add(stats, at), at));
  }

  /** @param {BrokerStats} stats @param {ReturnType<SnapshotHistory['add']>} recent @param {number} at */
  #page(stats, recent, at) {
    const { name, endpoints } = this.#broker;
    const { services, workers, clients, queued, running, counters } = stats;
    return {
      at,
      broker: { name, endpoints, pid: process.pid, rss: process.memoryUsage.rss(), uptime: process.uptime() },
      totals: { services: services.length, workers: workers.length, clients, queued, running, counters },
      charted: this.#history.charted,
      services: serviceRows(stats, recent),
      workers: peerRows(workers, workers.length),
      clients: peerRows(stats.clientList, clients),
    };
  }

  async #tick() {
    const stats = await this.#ask().catch(() => undefined);
    if (stats === undefined) return;
    const now = Date.now();
    const recent = this.#recent.add(stats, now);
    const point = this.#history.add(stats, recent.ledger, now);
    if (this.#readers.size === 0) return;
    const page = { ...this.#page(stats, recent, now), point };
    for (const reader of this.#readers) write(reader, 'stats', page);
  }

  /** @param {string} event @param {unknown} payload */
  #happened(event, payload) {
    const entry = { at: Date.now(), event, payload };
    if (event === 'start') {
      this.#recent.begin(entry.at);
      this.#history.begin(entry.at);
    }
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
