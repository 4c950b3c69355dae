'use strict';

const { WINDOW, cost } = require('./flow');
const { LazyWritable, built } = require('./lazy');

/** @import { Body } from './values' */

/** Whether a part may be sent now. */
const passes = Symbol('passes');

/** Sends a part within the credit. */
const sendPart = Symbol('sendPart');

/** Submits a part; of the class of the reply. */
const submitPart = Symbol('submitPart');

/** Adds credit, in bytes. */
const addCredit = Symbol('addCredit');

/** Sends the waiting parts, as far as there is credit. */
const release = Symbol('release');

/** Whether parts wait. */
const waits = Symbol('waits');

/** From now on parts are not sent, and do not wait for credit. */
const dropParts = Symbol('dropParts');

/** Drops the waiting parts. */
const forgetParts = Symbol('forgetParts');

/**
 * The flow control of a reply: the parts and their credit. A base class, because an object of its own would be allocated
 * for every request.
 *
 * With credit, a part is sent without the Writable's queue. Without credit it waits in the queue: write() returns false
 * while a part waits, and 'drain' is emitted when none waits any more.
 */
class ReplyFlow extends LazyWritable {
  /** The remaining credit in bytes. */
  #credit = WINDOW;
  /**
   * The parts that wait for credit, before those in the Writable's queue.
   * @type {{ bodies: Body[], at: number, done: () => void } | undefined}
   */
  #waiting;

  [passes]() {
    if (this.#credit <= 0) return false;
    // No earlier part waits.
    return !this[built] || (this.writableLength === 0 && this.writableCorked === 0);
  }

  /** @param {Body} body */
  [sendPart](body) {
    const bytes = cost(body);
    this.#credit -= bytes;
    this[submitPart](body, bytes);
  }

  /** Submits nothing once the reply is not wanted. @param {Body} _body @param {number} _bytes */
  [submitPart](_body, _bytes) {}

  /** @param {number} bytes */
  [addCredit](bytes) {
    this.#credit += bytes;
    this[release]();
  }

  [release]() {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    while (waiting.at < waiting.bodies.length) {
      if (this.#credit <= 0) return;
      this[sendPart](waiting.bodies[waiting.at]);
      waiting.at += 1;
    }
    this.#waiting = undefined;
    waiting.done();
  }

  get [waits]() {
    return this.#waiting !== undefined;
  }

  [dropParts]() {
    this.#credit = Infinity;
  }

  [forgetParts]() {
    this.#waiting = undefined;
  }

  /**
   * @param {Body} body
   * @param {BufferEncoding} _encoding
   * @param {(error?: Error | null) => void} done
   * @override
   */
  _write(body, _encoding, done) {
    this.#waiting = { bodies: [body], at: 0, done };
    this[release]();
  }

  /** @param {{ chunk: Body }[]} chunks @param {(error?: Error | null) => void} done @override */
  _writev(chunks, done) {
    this.#waiting = { bodies: chunks.map(({ chunk }) => chunk), at: 0, done };
    this[release]();
  }
}

exports.ReplyFlow = ReplyFlow;
exports.dropParts = dropParts;
exports.forgetParts = forgetParts;
exports.addCredit = addCredit;
exports.passes = passes;
exports.release = release;
exports.sendPart = sendPart;
exports.submitPart = submitPart;
exports.waits = waits;
