'use strict';

const { performance } = require('node:perf_hooks');
const { closed, opened } = require('./exit');
const { Transferred } = require('./transferred');
const { Flag, SUBMIT_FIELDS: FIELDS } = require('./load');
const { LongString } = require('./values');

/** @import { Core } from './load' */
/** @import { Body } from './values' */

/** Bytes, a string that becomes JSON, or bytes that were given away. @typedef {Uint8Array | string | ArrayBuffer} Blob */

const BLOB = Flag.Blob;
const SAME = Flag.Same;

/** A batch is submitted when it has this many records, or this many bytes and UTF-16 units of text. */
const MAX_RECORDS = 1024;
const MAX_BULK = 256 * 1024;

/** Bytes of at least this size are submitted at once, which costs less than a copy. */
const MAX_COPY = 16 * 1024;

/** How many ms an urgent record may wait while JavaScript does not reach the end of its tick. */
const MAX_WAIT_MS = 5;

/**
 * Collects records for the native side, so that one call submits many.
 *
 * Outside of a drain the first record of a tick is submitted at once and the others at the end of the tick: a
 * single request does not wait, and a burst crosses in batches. The records of callbacks in a drain are
 * submitted at its end. While the peer is not started, batches wait.
 */
class Outbox {
  /**
   * Submits, when the process ends, what the peer holds back for lack of credit. Returns whether something still
   * waits.
   * @type {() => boolean}
   */
  rest = () => false;
  #core;
  #records = new Float64Array(FIELDS * 16);
  #count = 0;
  #text = '';
  /** @type {Blob[] | undefined} */
  #blobs;
  #bulk = 0;
  /** Whether the last blob is bytes that the caller may still change. */
  #isOfCaller = false;
  /** The service and the options of the last request in the batch. @type {string | undefined} */
  #service;
  #options = '';
  /** Full batches that wait for open(). @type {[Float64Array, number, string, Blob[] | undefined][]} */
  #unsubmitted = [];
  #open = false;
  #draining = false;
  #ticking = false;
  /** Whether nothing was submitted yet in this tick or drain. */
  #fresh = true;
  #since = 0;
  #time = 0;
  #onTick = () => {
    this.#ticking = false;
    this.#fresh = true;
    this.flush();
  };

  /** @param {Core} core */
  constructor(core) {
    this.#core = core;
  }

  /**
   * @param {number} op
   * @param {number} id
   * @param {Body} body
   */
  put(op, id, body) {
    if (typeof body === 'string') this.#append(op, id, body.length, 0, 0, 0, body, undefined);
    else this.#append(op, id, 0, 0, 0, 0, '', body);
    this.#schedule(false);
    if (this.#isOfCaller) this.#own();
  }

  /**
   * As put(), for records that should leave even if JavaScript continues to compute: partials and heartbeats.
   * They never wait, because they have no meaning for a later start of the peer.
   * @param {number} op
   * @param {number} id
   * @param {Body} body
   * @param {number} [n]
   */
  putUrgent(op, id, body, n = 0) {
    if (!this.#open) return;
    if (typeof body === 'string') this.#append(op, id, body.length, n, 0, 0, body, undefined);
    else this.#append(op, id, 0, n, 0, 0, '', body);
    this.#schedule(true);
    if (this.#isOfCaller) this.#own();
  }

  /**
   * @param {number} op
   * @param {number} id
   * @param {number} n
   */
  putNumber(op, id, n) {
    this.#append(op, id, n, 0, 0, 0, '', undefined);
    this.#schedule(false);
  }

  /**
   * @param {number} op
   * @param {number} id
   * @param {string} service
   * @param {Body} body
   * @param {string} options
   * @param {number} terms the timeout, and the treatment of the request
   * @param {number} left the time left until the deadline, shifted above the length of the options
   */
  putRequest(op, id, service, body, options, terms, left) {
    const text = typeof body === 'string' ? body : '';
    const blob = typeof body === 'string' ? undefined : body;
    if (service === this.#service && options === this.#options) {
      this.#append(op | SAME, id, 0, text.length, left, terms, text, blob);
    } else {
      const all = service + text + options;
      this.#append(op, id, service.length, text.length, options.length + left, terms, all, blob);
      this.#service = service;
      this.#options = options;
    }
    this.#schedule(false);
    if (this.#isOfCaller) this.#own();
  }

  /** The peer is running: submits the batches that wait. */
  open() {
    this.#open = true;
    opened(this);
    const batches = this.#unsubmitted;
    this.#unsubmitted = [];
    for (const [records, count, text, blobs] of batches) this.#core.submit?.(records, count, text, blobs);
    this.flush();
  }

  /** Holds records from now on. */
  close() {
    this.#open = false;
    closed(this);
  }

  /** Drops all unsubmitted records. */
  clear() {
    this.#unsubmitted = [];
    this.#empty();
  }

  /** @param {number} now */
  beginDrain(now) {
    this.#draining = true;
    this.#time = now;
  }

  /** The clock was read within a drain. @param {number} now */
  touch(now) {
    this.#time = now;
  }

  get draining() {
    return this.#draining;
  }

  /** When this tick or drain began, approximately: the clock is not read for each record of a batch. */
  get time() {
    if (!this.#draining && !this.#ticking) this.#time = performance.now();
    return this.#time;
  }

  endDrain() {
    this.#draining = false;
    this.#fresh = true;
    this.flush();
  }

  flush() {
    if (!this.#open || this.#count === 0) return;
    const count = this.#count;
    const text = this.#text;
    const blobs = this.#blobs;
    // Emptied first, so that no record is submitted twice even if submit() throws.
    this.#empty();
    this.#core.submit?.(this.#records, count, text, blobs);
  }

  #empty() {
    this.#count = 0;
    this.#text = '';
    this.#blobs = undefined;
    this.#isOfCaller = false;
    this.#bulk = 0;
    this.#service = undefined;
  }

  /**
   * Takes ownership of the last blob, which belongs to the caller until now: native code copies it before the
   * submission of its batch returns, and one that stays longer is copied here.
   */
  #own() {
    const blobs = /** @type {Blob[]} */ (this.#blobs);
    const last = blobs.length - 1;
    const bytes = /** @type {Uint8Array} */ (blobs[last]);
    if (this.#open && bytes.length >= MAX_COPY) {
      this.flush();
    } else {
      this.#isOfCaller = false;
      blobs[last] = Buffer.from(bytes);
    }
  }

  /**
   * @param {number} op
   * @param {number} id
   * @param {number} a
   * @param {number} b
   * @param {number} c
   * @param {number} d
   * @param {string} text
   * @param {Uint8Array | Transferred | LongString | undefined} blob
   */
  #append(op, id, a, b, c, d, text, blob) {
    // First, because it throws beyond V8's longest string; the state must not have changed then.
    const joined = this.#text + text;
    if (this.#count * FIELDS === this.#records.length) this.#grow();
    const records = this.#records;
    const at = this.#count * FIELDS;
    records[at] = blob === undefined ? op : op | BLOB;
    records[at + 1] = id;
    records[at + 2] = a;
    records[at + 3] = b;
    records[at + 4] = c;
    records[at + 5] = d;
    this.#text = joined;
    this.#count += 1;
    this.#bulk += text.length;
    if (blob !== undefined) {
      this.#bulk += blob.length;
      this.#isOfCaller = blob instanceof Uint8Array;
      const content = contentOf(blob);
      if (this.#blobs === undefined) this.#blobs = [content];
      else this.#blobs.push(content);
    }
  }

  /** @param {boolean} urgent */
  #schedule(urgent) {
    if (this.#count >= MAX_RECORDS || this.#bulk >= MAX_BULK) {
      if (this.#open) this.flush();
      else this.#keepUnsubmitted();
      return;
    }
    if (!this.#open) return;
    if (this.#draining && !urgent) return;
    if (!this.#draining && !this.#ticking) {
      this.#ticking = true;
      process.nextTick(this.#onTick);
    }
    if (this.#fresh && this.#count === 1) {
      this.#fresh = false;
      if (urgent) this.#since = Date.now();
      this.flush();
    } else if (urgent) {
      const now = Date.now();
      if (now - this.#since < MAX_WAIT_MS) return;
      this.#since = now;
      this.flush();
    }
  }

  #keepUnsubmitted() {
    if (this.#isOfCaller) this.#own();
    const records = this.#records.slice(0, this.#count * FIELDS);
    this.#unsubmitted.push([records, this.#count, this.#text, this.#blobs]);
    this.#empty();
  }

  #grow() {
    // An idle peer should not occupy the 48 KiB that a busy one needs.
    const grown = new Float64Array(this.#records.length * 4);
    grown.set(this.#records);
    this.#records = grown;
  }
}

/** @param {Uint8Array | Transferred | LongString} blob @returns {Blob} */
function contentOf(blob) {
  if (blob instanceof LongString) return blob.text;
  return blob instanceof Transferred ? blob.buffer : blob;
}

exports.Outbox = Outbox;
