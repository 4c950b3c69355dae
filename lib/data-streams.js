'use strict';

const { WorkerOp } = require('./load');
const { BAD_REQUEST, TOO_LARGE } = require('./own-error-values');
const { RequestData, close, end, push } = require('./request-data');
const { bodyValue } = require('./values');

/** @import { Blob } from './inbox' */
/** @import { Outbox } from './outbox' */
/** @import { Scope } from './scope' */

const OP_READ = WorkerOp.Read;
const OP_ENOUGH = WorkerOp.Enough;

/** The streams that are the data of a worker's requests, by the numbers of their deliveries. */
class DataStreams {
  /** @type {Map<number, RequestData>} */
  #streams = new Map();
  #outbox;

  /** @param {Outbox} outbox */
  constructor(outbox) {
    this.#outbox = outbox;
  }

  /** @param {number} id @param {Scope} scope the handler's @returns {RequestData} */
  open(id, scope) {
    const data = new RequestData(this, id, scope);
    this.#streams.set(id, data);
    return data;
  }

  /**
   * Adds a received part.
   * @param {number} id
   * @param {number} length
   * @param {string} text
   * @param {number} at
   * @param {Blob | undefined} blob
   * @param {number} cost
   * @returns the error value for the client if the part cannot be read
   */
  take(id, length, text, at, blob, cost) {
    const data = this.#streams.get(id);
    if (data === undefined) return undefined;
    if (blob === null) return TOO_LARGE;
    let part;
    try {
      part = bodyValue(blob, text, at, length);
    } catch {
      return BAD_REQUEST;
    }
    push(data, part, cost);
    return undefined;
  }

  /** The client has sent all parts. @param {number} id */
  end(id) {
    const data = this.#streams.get(id);
    if (data !== undefined) end(data);
  }

  /**
   * The request has ended.
   * @param {number} id
   * @param {() => Error} [errorOf] says why, unless its handler has ended it
   */
  close(id, errorOf) {
    const data = this.#streams.get(id);
    if (data === undefined) return;
    this.#streams.delete(id);
    close(data, errorOf?.());
  }

  /** @param {(id: number) => Error} errorOf */
  closeAll(errorOf) {
    for (const id of this.#streams.keys()) this.close(id, () => errorOf(id));
  }

  /** Reports bytes that a handler has read. @param {number} id @param {number} bytes */
  read(id, bytes) {
    this.#outbox.putNumber(OP_READ, id, bytes);
  }

  /** Reports that a handler does not need the rest. @param {number} id */
  enough(id) {
    if (this.#streams.has(id)) this.#outbox.put(OP_ENOUGH, id, '');
  }
}

exports.DataStreams = DataStreams;
