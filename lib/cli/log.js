'use strict';

const { Usage } = require('./failure');
const { jsonOf } = require('./output');
const { writtenAs } = require('./settings');

/** @typedef {'error' | 'warn' | 'info' | 'debug'} Level */

/** @type {Level[]} */
const LEVELS = ['error', 'warn', 'info', 'debug'];

/** Writes one line for each entry to stderr, as plain text or JSON. */
class Log {
  #json;
  #level;

  /** @param {{ logFormat?: string, verbose?: boolean, debug?: boolean }} settings */
  constructor({ logFormat = 'plain', verbose = false, debug = false }) {
    if (logFormat !== 'plain' && logFormat !== 'json') {
      throw new Usage(`${writtenAs('logFormat')} must be plain or json, got "${logFormat}"`);
    }
    this.#json = logFormat === 'json';
    this.#level = LEVELS.indexOf(debug ? 'debug' : verbose ? 'info' : 'warn');
  }

  /**
   * Writes an entry at any level.
   * @param {string} event
   * @param {Record<string, unknown>} fields
   */
  tell(event, fields) {
    this.#put('info', event, fields);
  }

  /**
   * @param {Level} level
   * @param {string} event
   * @param {Record<string, unknown>} [fields]
   */
  write(level, event, fields = {}) {
    if (LEVELS.indexOf(level) <= this.#level) this.#put(level, event, fields);
  }

  /**
   * @param {Level} level
   * @param {string} event
   * @param {Record<string, unknown>} fields
   */
  #put(level, event, fields) {
    const time = new Date().toISOString();
    process.stderr.write(
      `${this.#json ? jsonOf({ time, level, event, ...fields }) : plain(time, level, event, fields)}\n`,
    );
  }
}

/**
 * @param {string} time
 * @param {string} level
 * @param {string} event
 * @param {Record<string, unknown>} fields
 */
function plain(time, level, event, fields) {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  const pairs = known.map(([key, value]) => `${key}=${jsonOf(value)}`);
  return [time, level.toUpperCase(), event, ...pairs].join(' ');
}

exports.Log = Log;
