'use strict';

const { Readable, finished } = require('node:stream');
const { cost } = require('./flow');
const { transfer } = require('./transferred');
const { Scope } = require('./scope');
const { within } = require('./size');
const { encode } = require('./values');

/** @import { Body } from './values' */

/**
 * The receiver of a stream's parts.
 * @typedef {object} Sink
 * @property {(body: Body, cost: number) => void} part
 * @property {() => void} end
 * @property {(error: unknown) => void} fail
 */

/**
 * The stream that is a request's data, at the client: a Readable or any other async iterable. No part is read
 * before the handler reads, and no more than there is credit for.
 */
class Source {
  #given;
  #max;
  /** The async context of the caller: the iterable is code of the application. */
  #scope = new Scope('zmq-omdp.data');
  /** @type {AsyncIterator<any> | undefined} */
  #parts;
  /** @type {Sink | undefined} */
  #sink;
  #credit = 0;
  #pulling = false;
  #over = false;
  /** Whether the memory of its parts is given away. */
  #transfers = false;

  /**
   * @param {any} given
   * @param {number} maxMessageSize
   * @throws {TypeError}
   */
  constructor(given, maxMessageSize) {
    if (typeof given[Symbol.asyncIterator] === 'function') this.#given = given;
    else if (typeof given.write === 'function' && !given.readable)
      throw new TypeError('cannot be sent: a stream that is written to cannot be read');
    else if (typeof given.on === 'function') this.#given = new Readable({ objectMode: true }).wrap(given);
    else throw new TypeError('cannot be sent: an object with pipe() must be a stream or an async iterable');
    this.#max = maxMessageSize;
  }

  /**
   * Reports the end and the failure of the stream from now on. Not earlier, because an error of the arguments
   * must not affect the stream.
   * @param {Sink} sink
   */
  attach(sink) {
    this.#sink = sink;
    // It may fail or be destroyed before any part is read.
    if (typeof this.#given.pipe !== 'function') return;
    finished(this.#given, { writable: false }, (error) => {
      if (error) this.#fail(error);
    });
  }

  /** Gives away the memory of the parts, instead of copying them. */
  transferParts() {
    this.#transfers = true;
  }

  /** Adds credit for further parts. @param {number} bytes */
  addCredit(bytes) {
    this.#credit += bytes;
    if (!this.#pulling && !this.#over) void this.#scope.runInAsyncScope(this.#pull, this);
  }

  /** The process ends: a stream that was read to its end has ended, although that was not seen yet. */
  finishAtExit() {
    if (!this.#over && this.#given.readableEnded === true) this.#end();
  }

  /** The rest is not needed. */
  stop() {
    if (this.#over) return;
    this.#over = true;
    this.#scope.runInAsyncScope(this.#leave, this);
  }

  #leave() {
    const given = this.#given;
    if (typeof given.destroy === 'function') given.destroy();
    // Errors of its end are ignored.
    else Promise.resolve(this.#parts?.return?.()).catch(() => {});
  }

  async #pull() {
    this.#pulling = true;
    try {
      this.#parts ??= /** @type {AsyncIterator<any>} */ (this.#given[Symbol.asyncIterator]());
      while (this.#credit > 0 && !this.#over) {
        const { done, value } = await this.#parts.next();
        if (this.#over) return;
        if (done) this.#end();
        else this.#part(value);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#pulling = false;
    }
  }

  /** @param {any} value */
  #part(value) {
    if (value === null || value === undefined) {
      throw new TypeError(`a part of a stream must not be ${value}`);
    }
    let body = within(encode(value), this.#max);
    if (this.#transfers) body = transfer(body);
    const bytes = cost(body);
    this.#credit -= bytes;
    this.#sink?.part(body, bytes);
  }

  #end() {
    this.#over = true;
    this.#sink?.end();
  }

  /** @param {unknown} error */
  #fail(error) {
    if (this.#over) return;
    this.stop();
    this.#sink?.fail(error);
  }
}

exports.Source = Source;
