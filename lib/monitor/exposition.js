'use strict';
// Prometheus's text format and OpenMetrics.

/** @import { Latency } from '../../index' */

/**
 * Buckets whose bounds are bounds of a log-linear histogram, too: the values below a power of two in µs, from 64 µs to
 * 67 s. The largest value in ms, and the label in s.
 */
const BOUNDS = Array.from({ length: 21 }, (_, n) => {
  const micros = 2 ** (n + 6);
  return { largest: (micros - 1) / 1000, le: String(micros / 1e6) };
});

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

/**
 * Whether a scraper wants OpenMetrics at least as much as the text format, by the header Accept.
 * @param {string} accept
 */
function prefersOpenMetrics(accept) {
  /** @type {Map<string, number>} */
  const weights = new Map();
  for (const range of accept.split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    const q = weight === undefined ? 1 : Number(weight.slice(2)) || 0;
    // A type may be listed in several versions.
    weights.set(type, Math.max(q, weights.get(type) ?? 0));
  }
  const wanted = weights.get('application/openmetrics-text') ?? 0;
  const text = ['text/plain', 'text/*', '*/*'].find((type) => weights.has(type));
  return wanted > 0 && wanted >= (weights.get(text ?? '') ?? 0);
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
    for (const { largest, le } of BOUNDS) {
      while (at < buckets.length && buckets[at][0] <= largest) {
        seen += buckets[at][1];
        at += 1;
      }
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

exports.Exposition = Exposition;
exports.prefersOpenMetrics = prefersOpenMetrics;
