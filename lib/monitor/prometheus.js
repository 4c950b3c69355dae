'use strict';
// Converts a snapshot of a broker into Prometheus's text format or OpenMetrics.

const fs = require('node:fs');
const { Exposition } = require('./exposition');
const { mergeNumbers } = require('./merge');
const { countedServices, together } = require('./service-states');
const { WorkerSeries } = require('./worker-series');

/** @import { BrokerStats, ServiceNumbers } from '../../index' */
/** @import { ServiceState } from './service-states' */

/** The label of services and workers without their own rows. */
const OTHER = 'other';

/** The codes that are shown before they occur, because Prometheus sees no increase in the first value of a series. */
const EXPECTED_CODES = [
  'B_DENIED',
  'B_QUEUE_FULL',
  'C_TIMEOUT',
  'W_LOST',
  'W_NONE',
  'W_REJECTED',
  'W_TIMEOUT',
];
const NO_ERRORS = Object.fromEntries(EXPECTED_CODES.map((code) => [code, 0]));

/** @param {Exposition} out @param {ServiceNumbers} numbers @param {string} service */
function serviceNumbers(out, { counters, latency }, service) {
  const labels = { service };
  out.counter('omdp_requests', 'Received requests.', counters.requests, labels);
  out.counter('omdp_replies', 'Requests that ended with a final.', counters.replies, labels);
  out.counter(
    'omdp_failures',
    'Requests that ended with an error value of a worker.',
    counters.failures,
    labels,
  );
  out.counter('omdp_partials', 'Partials of replies.', counters.partials, labels);
  out.counter('omdp_cancellations', 'Requests that were cancelled.', counters.cancelled, labels);
  out.counter('omdp_retries', 'Second and later starts of requests.', counters.retried, labels);
  out.counter('omdp_rejections', 'Rejections by workers.', counters.rejected, labels);
  out.counter('omdp_request_bytes', 'Data and options of requests.', counters.bytesIn, labels);
  out.counter('omdp_reply_bytes', 'Parts and finals of replies.', counters.bytesOut, labels);
  for (const [code, count] of Object.entries({ ...NO_ERRORS, ...counters.errors })) {
    out.counter('omdp_errors', 'Requests that ended with a code.', count, { service, code });
  }
  out.histogram('omdp_queue_duration_seconds', 'Time until a worker had the request.', latency.queue, labels);
  out.histogram('omdp_work_duration_seconds', 'Time that a worker had the request.', latency.work, labels);
  out.histogram('omdp_request_duration_seconds', 'Time from the request to its end.', latency.total, labels);
}

/** @param {Exposition} out @param {ServiceState} present @param {string} name */
function presentState(out, { workers, idle, queued, queuedBytes, oldest, running }, name) {
  const labels = { service: name };
  out.gauge('omdp_service_workers', 'Workers of the service.', workers, labels);
  out.gauge('omdp_service_idle_workers', 'Workers that could run a request now.', idle, labels);
  out.gauge('omdp_queue_requests', 'Requests that wait for a worker.', queued, labels);
  out.gauge('omdp_queue_bytes', 'Bytes of requests that wait for a worker.', queuedBytes, labels);
  const age = 'For how long the first of the queue has waited.';
  out.gauge('omdp_queue_oldest_age_seconds', age, oldest / 1000, labels);
  out.gauge('omdp_running_requests', 'Requests that workers run.', running, labels);
}

/** The number of open descriptors and its limit, where /proc tells. @param {Exposition} out */
function descriptors(out) {
  try {
    const open = fs.readdirSync('/proc/self/fd').length;
    const [, limit] = /^Max open files +(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'latin1')) ?? [];
    out.gauge('process_open_fds', 'Open file descriptors of the process.', open);
    if (limit !== undefined) {
      out.gauge('process_max_fds', 'The maximum number of open file descriptors.', Number(limit));
    }
  } catch {
    // Another platform.
  }
}

/** In seconds since 1970. Computed once: a sample that differs would mean that the process was started again. */
const STARTED = Date.now() / 1000 - process.uptime();

/** @param {Exposition} out */
function processNumbers(out) {
  const { user, system } = process.cpuUsage();
  out.counter('process_cpu_seconds', 'Processor time of the process.', (user + system) / 1e6);
  out.gauge('process_resident_memory_bytes', 'Resident memory of the process.', process.memoryUsage.rss());
  out.gauge('process_start_time_seconds', 'Start time of the process, in seconds since 1970.', STARTED);
  descriptors(out);
}

/** @typedef {ServiceNumbers & ServiceState} Row */

/**
 * The services with their own row, and those that share one. Two names may be equal as text, and a name may
 * equal that of the shared row.
 * @param {BrokerStats} stats
 */
function rows(stats) {
  /** @type {Map<string, Row>} */
  const named = new Map();
  /** @type {Row[]} */
  const rest = [stats.otherServices];
  for (const service of countedServices(stats)) {
    const { name } = service;
    if (service.named && name !== OTHER && !named.has(name)) named.set(name, service);
    else rest.push(service);
  }
  return { named, rest };
}

/** Makes the text for one broker. It remembers what is needed for no counter to decrease. */
class Renderer {
  #version;
  #workers;
  #floor = { requests: 0, bytesIn: 0 };
  /** The counters of the last snapshot, to detect that the broker was started again. */
  #last = 0;

  /** @param {{ version: string, maxWorkers: number }} options */
  constructor({ version, maxWorkers }) {
    this.#version = version;
    this.#workers = new WorkerSeries(maxWorkers, OTHER);
  }

  /** @param {BrokerStats} stats @param {boolean} openMetrics @returns {string} */
  render(stats, openMetrics) {
    const out = new Exposition(openMetrics);
    out.gauge('omdp_build_info', 'The version of the broker.', 1, { version: this.#version });
    const { named, rest } = rows(stats);
    const present = together(rest);
    for (const [name, row] of named) presentState(out, row, name);
    presentState(out, present, OTHER);
    for (const [name, row] of named) serviceNumbers(out, row, name);
    serviceNumbers(out, this.#otherNumbers(stats, rest, present), OTHER);
    this.#workerNumbers(out, stats);
    for (const [dialect, { workers, clients, messages }] of Object.entries(stats.dialects)) {
      out.gauge('omdp_peers', 'Registered peers.', workers, { dialect, role: 'worker' });
      out.gauge('omdp_peers', 'Registered peers.', clients, { dialect, role: 'client' });
      out.counter('omdp_messages', 'Received messages.', messages, { dialect });
    }
    brokerNumbers(out, stats);
    processNumbers(out);
    return out.text();
  }

  /**
   * Waiting requests move to their own row when the service gets its first worker, so they are left out. A
   * request may wait again after the loss of its worker; then the counters stay what they were.
   * @param {BrokerStats} stats
   * @param {readonly Row[]} rest
   * @param {ServiceState} present
   * @returns {ServiceNumbers}
   */
  #otherNumbers({ counters: { requests } }, rest, { queued, queuedBytes }) {
    if (requests < this.#last) this.#floor = { requests: 0, bytesIn: 0 };
    this.#last = requests;
    const { counters, latency } = mergeNumbers([...rest]);
    const floor = {
      requests: Math.max(this.#floor.requests, counters.requests - queued),
      bytesIn: Math.max(this.#floor.bytesIn, counters.bytesIn - queuedBytes),
    };
    this.#floor = floor;
    return { counters: { ...counters, ...floor }, latency };
  }

  /** @param {Exposition} out @param {BrokerStats} stats */
  #workerNumbers(out, { workers }) {
    const { own, others } = this.#workers.update(workers);
    for (const { service, name, ...counts } of own) workerNumbers(out, counts, { service, worker: name });
    if (others !== undefined) workerNumbers(out, others, { service: OTHER, worker: OTHER });
  }
}

/**
 * @param {Exposition} out
 * @param {{ ended: number, failed: number, rejected: number, running: number }} counts
 * @param {Record<string, string>} labels
 */
function workerNumbers(out, { ended, failed, rejected, running }, labels) {
  out.counter('omdp_worker_requests', 'Requests that the worker answered.', ended, labels);
  const failures = 'Those that it answered with an error value or a code.';
  out.counter('omdp_worker_failures', failures, failed, labels);
  out.counter('omdp_worker_rejections', 'Requests that the worker rejected.', rejected, labels);
  out.gauge('omdp_worker_running', 'Requests that the worker has.', running, labels);
}

/** @param {Exposition} out @param {BrokerStats} stats */
function brokerNumbers(out, { counters, heldBytes, refusals }) {
  const bad = 'Messages that were dropped because they make no sense.';
  out.counter('omdp_bad_messages', bad, counters.badMessages);
  out.counter('omdp_slow_peers', 'Peers that did not read their messages.', counters.slowPeers);
  const over = 'Messages that were refused because of a limit of held bytes.';
  out.counter('omdp_over_limit', over, counters.overLimit);
  out.gauge('omdp_held_bytes', 'Bytes that are kept for peers.', heldBytes);
  for (const [kind, count] of Object.entries(refusals)) {
    out.counter('omdp_refusals', 'Peers, workers and requests that the rules refused.', count, { kind });
  }
}

exports.Renderer = Renderer;
