'use strict';
// Converts a snapshot of a broker into Prometheus's text format or OpenMetrics.

/** @import { BrokerStats, Latency, ServiceNumbers } from '../../index' */

/**
 * Upper bounds in ms that are bounds of a log-linear histogram, too: powers of two in µs minus one, from 64
 * µs to 67 s.
 */
const BOUNDS = Array.from({ length: 21 }, (_, n) => (2 ** (n + 6) - 1) / 1000);

/** The label of services and workers without their own rows. */
const OTHER = 'other';

/** @typedef {Record<string, string>} Labels */
/** @typedef {{ help: string, type: 'counter' | 'gauge' | 'histogram', unit?: string, lines: string[] }} Family */

/** @param {string} value @returns {string} */
function escapeLabel(value) {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/** @param {Labels} labels @returns {string} */
function labelsText(labels) {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** Collects metric families; the suffixes of their lines depend on the format. */
class Exposition {
  #openMetrics;
  /** @type {Map<string, Family>} */
  #families = new Map();

  /** @param {boolean} openMetrics */
  constructor(openMetrics) {
    this.#openMetrics = openMetrics;
  }

  /** @param {string} name @param {Family['type']} type @param {string} help @returns {string[]} */
  #lines(name, type, help) {
    let family = this.#families.get(name);
    if (family === undefined) {
      family = { help, type, lines: [] };
      this.#families.set(name, family);
    }
    return family.lines;
  }

  /** @param {string} name without `_total` @param {string} help @param {number} value @param {Labels} [labels] */
  counter(name, help, value, labels = {}) {
    this.#lines(name, 'counter', help).push(`${name}_total${labelsText(labels)} ${value}`);
  }

  /** @param {string} name @param {string} help @param {number} value @param {Labels} [labels] */
  gauge(name, help, value, labels = {}) {
    this.#lines(name, 'gauge', help).push(`${name}${labelsText(labels)} ${value}`);
  }

  /** @param {string} name @param {string} help @param {Latency} latency @param {Labels} labels */
  histogram(name, help, { count, sum, buckets }, labels) {
    const lines = this.#lines(name, 'histogram', help);
    let at = 0;
    let seen = 0;
    for (const bound of BOUNDS) {
      while (at < buckets.length && buckets[at][0] <= bound) {
        seen += buckets[at][1];
        at += 1;
      }
      // The buckets up to `bound` contain the values below the power of two.
      const le = String((bound + 0.001) / 1000);
      lines.push(`${name}_bucket${labelsText({ ...labels, le })} ${seen}`);
    }
    lines.push(`${name}_bucket${labelsText({ ...labels, le: '+Inf' })} ${count}`);
    lines.push(`${name}_sum${labelsText(labels)} ${sum / 1000}`);
    lines.push(`${name}_count${labelsText(labels)} ${count}`);
  }

  /** @returns {string} */
  text() {
    const parts = [];
    for (const [name, { help, type, lines }] of this.#families) {
      const shown = type === 'counter' && !this.#openMetrics ? `${name}_total` : name;
      parts.push(`# HELP ${shown} ${help}`, `# TYPE ${shown} ${type}`, ...lines);
    }
    if (this.#openMetrics) parts.push('# EOF');
    return `${parts.join('\n')}\n`;
  }
}

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
  out.counter('omdp_request_bytes', 'Data and options of requests.', counters.bytesIn, labels);
  out.counter('omdp_reply_bytes', 'Parts and finals of replies.', counters.bytesOut, labels);
  for (const [code, count] of Object.entries(counters.errors)) {
    out.counter('omdp_errors', 'Requests that ended with a code of the broker.', count, { service, code });
  }
  out.histogram('omdp_queue_duration_seconds', 'Time until a worker had the request.', latency.queue, labels);
  out.histogram('omdp_work_duration_seconds', 'Time that a worker had the request.', latency.work, labels);
  out.histogram('omdp_request_duration_seconds', 'Time from the request to its end.', latency.total, labels);
}

/** @param {Exposition} out @param {BrokerStats} stats @param {number} maxWorkers */
function workers(out, { workers: all }, maxWorkers) {
  const rest = { ended: 0, failed: 0, running: 0 };
  /** @param {Labels} labels @param {{ ended: number, failed: number, running: number }} worker */
  const put = (labels, { ended, failed, running }) => {
    out.counter('omdp_worker_requests', 'Requests that the worker answered.', ended, labels);
    out.counter('omdp_worker_failures', 'Those that it answered with an error value.', failed, labels);
    out.gauge('omdp_worker_running', 'Requests that the worker runs.', running, labels);
  };
  /** @type {Set<string>} */
  const shown = new Set();
  for (const worker of all) {
    const isNew = !shown.has(worker.name) && worker.name !== OTHER;
    if (isNew && shown.size < maxWorkers) {
      shown.add(worker.name);
      put({ service: worker.service, worker: worker.name }, worker);
    } else for (const key of /** @type {const} */ (['ended', 'failed', 'running'])) rest[key] += worker[key];
  }
  if (all.length > shown.size) put({ service: OTHER, worker: OTHER }, rest);
}

/** @param {Exposition} out */
function processNumbers(out) {
  const { user, system } = process.cpuUsage();
  out.counter('process_cpu_seconds', 'Processor time of the process.', (user + system) / 1e6);
  out.gauge('process_resident_memory_bytes', 'Resident memory of the process.', process.memoryUsage.rss());
  const started = Date.now() / 1000 - process.uptime();
  out.gauge('process_start_time_seconds', 'Start time of the process, in seconds since 1970.', started);
}

/**
 * @param {BrokerStats} stats
 * @param {{ openMetrics: boolean, version: string, maxWorkers: number }} options
 * @returns {string}
 */
function render(stats, { openMetrics, version, maxWorkers }) {
  const out = new Exposition(openMetrics);
  out.gauge('omdp_build_info', 'The version of the broker.', 1, { version });
  const { named, rest } = rows(stats);
  for (const [name, { present }] of named) {
    const labels = { service: name };
    const service = present ?? NOTHING;
    out.gauge('omdp_service_workers', 'Workers of the service.', service.workers, labels);
    out.gauge('omdp_service_idle_workers', 'Workers that could run a request now.', service.idle, labels);
    out.gauge('omdp_queue_requests', 'Requests that wait for a worker.', service.queued, labels);
    out.gauge('omdp_queue_bytes', 'Bytes of requests that wait for a worker.', service.queuedBytes, labels);
    out.gauge(
      'omdp_queue_oldest_age_seconds',
      'For how long the first of the queue has waited.',
      service.oldest / 1000,
      labels,
    );
    out.gauge('omdp_running_requests', 'Requests that workers run.', service.running, labels);
  }
  const labels = { service: OTHER };
  const present = rest.flatMap((row) => row.present ?? []);
  /** @param {'queued' | 'queuedBytes'} key */
  const sum = (key) => present.reduce((total, service) => total + service[key], 0);
  out.gauge('omdp_queue_requests', '', sum('queued'), labels);
  out.gauge('omdp_queue_bytes', '', sum('queuedBytes'), labels);
  const oldest = Math.max(0, ...present.map((service) => service.oldest));
  out.gauge('omdp_queue_oldest_age_seconds', '', oldest / 1000, labels);
  for (const [name, { numbers }] of named) serviceNumbers(out, numbers, name);
  const { counters: all, latency } = mergeNumbers([
    stats.otherServices,
    ...rest.map(({ numbers }) => numbers),
  ]);
  // Waiting requests move to their own row when the service gets its first worker, and counters must not
  // decrease.
  const ended = { requests: all.requests - sum('queued'), bytesIn: all.bytesIn - sum('queuedBytes') };
  serviceNumbers(out, { counters: { ...all, ...ended }, latency }, OTHER);
  workers(out, stats, maxWorkers);
  for (const [dialect, numbers] of Object.entries(stats.dialects)) {
    out.gauge('omdp_peers', 'Registered peers.', numbers.workers, { dialect, role: 'worker' });
    out.gauge('omdp_peers', '', numbers.clients, { dialect, role: 'client' });
    out.counter('omdp_messages', 'Received messages.', numbers.messages, { dialect });
  }
  const { counters, refusals } = stats;
  out.counter(
    'omdp_bad_messages',
    'Messages that were dropped because they make no sense.',
    counters.badMessages,
  );
  out.counter('omdp_slow_peers', 'Peers that did not read their messages.', counters.slowPeers);
  for (const [kind, count] of Object.entries(refusals)) {
    out.counter('omdp_refusals', 'Peers, workers and requests that the rules refused.', count, { kind });
  }
  processNumbers(out);
  return out.text();
}

const NOTHING = { workers: 0, idle: 0, queued: 0, queuedBytes: 0, oldest: 0, running: 0 };

/** @typedef {{ numbers: ServiceNumbers, present?: BrokerStats['services'][number] }} Row */

/**
 * The services with their own row, and those that share one. Two names may be equal as text, and a name may
 * equal that of the shared row.
 * @param {BrokerStats} stats
 */
function rows({ services, absentServices }) {
  /** @type {Map<string, Row>} */
  const named = new Map();
  /** @type {Row[]} */
  const rest = [];
  const all = [
    ...services.map((each) => ({ name: each.name, own: each.named, row: { numbers: each, present: each } })),
    ...absentServices.map((each) => ({ name: each.name, own: true, row: { numbers: each } })),
  ];
  for (const { name, own, row } of all) {
    if (own && name !== OTHER && !named.has(name)) named.set(name, row);
    else rest.push(row);
  }
  return { named, rest };
}

/** @param {ServiceNumbers[]} all @returns {ServiceNumbers} */
function mergeNumbers(all) {
  /** @type {any} */
  const counters = { errors: {} };
  for (const each of all) {
    for (const [key, value] of Object.entries(each.counters)) {
      if (typeof value === 'number') counters[key] = (counters[key] ?? 0) + value;
    }
    for (const [code, count] of Object.entries(each.counters.errors)) {
      counters.errors[code] = (counters.errors[code] ?? 0) + count;
    }
  }
  const [queue, work, total] = /** @type {const} */ (['queue', 'work', 'total']).map((which) =>
    mergeLatencies(all.map(({ latency }) => latency[which])),
  );
  return { counters, latency: { queue, work, total } };
}

/** @param {Latency[]} all @returns {Latency} */
function mergeLatencies(all) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const { buckets } of all) {
    for (const [upper, count] of buckets) counts.set(upper, (counts.get(upper) ?? 0) + count);
  }
  const buckets = [...counts].sort(([a], [b]) => a - b);
  const count = all.reduce((sum, each) => sum + each.count, 0);
  const max = Math.max(0, ...all.map((each) => each.max));
  const of = (/** @type {number} */ percent) => percentile(buckets, count, percent, max);
  const sum = all.reduce((total, each) => total + each.sum, 0);
  return { count, sum, max, p50: of(50), p90: of(90), p95: of(95), p99: of(99), buckets };
}

/** @param {readonly (readonly [number, number])[]} buckets @param {number} count @param {number} percent @param {number} max */
function percentile(buckets, count, percent, max) {
  let left = Math.max(1, Math.ceil((count * percent) / 100));
  for (const [upper, each] of buckets) {
    left -= each;
    if (left <= 0) return Math.min(upper, max);
  }
  return max;
}

exports.mergeLatencies = mergeLatencies;
exports.mergeNumbers = mergeNumbers;
exports.percentile = percentile;
exports.render = render;
