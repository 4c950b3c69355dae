'use strict';

const { CREDIT_STEP } = require('./flow');
const { ClientOp, Kind, LeftShift, RequestPlace, TermsShift } = require('./load');
const { Meter } = require('./meter');
const { Outstanding } = require('./outstanding');
const { Request } = require('./request');
const { parse } = require('./schema');
const { timeoutMessage } = require('./timeout-message');
const { sizeOf, sizeOfData } = require('./tracing');
const { Unstarted } = require('./unstarted');
const { bodyValue } = require('./values');

/** @import { Brokers } from './brokers' */
/** @import { Take } from './inbox' */
/** @import { PeerContext } from './common-records' */
/** @import { State } from './peer' */
/** @import { RequestOptions } from './request-options' */
/** @import { Source } from './source' */
/** @import { Body } from './values' */

/** The kinds of records from the native side. Those from FINAL on end a request, and are also its outcome. */
const { Partial: PARTIAL, Final: FINAL, Error: ERROR, Failed: FAILED } = Kind;
/** The kinds of records about a request's stream and place; their numbers are above the others. */
const { Credit: CREDIT, Place: PLACE, Attempt: ATTEMPT } = Kind;

/** One number has the timeout of a request and, multiplied by this factor, its treatment. */
const TERMS = 2 ** TermsShift.Retry;
/** One number has the length of its options and, multiplied by this factor, the time left until its deadline. */
const LEFT = 2 ** LeftShift.Options;
/** One number has the place of a request and, multiplied by this factor, its latest attempt. */
const PLACES = 2 ** LeftShift.Place;

/**
 * The role of a client: its requests, and the records about them. All ways by which a request ends are here, because
 * each removes it from the table of outstanding requests exactly once.
 */
class Requests {
  #outstanding = new Outstanding((request, reason) => this.#cancel(request, 'C_ABORTED', reason));
  #lastId = 0;
  /** False after stop() or a failed start: until the next start() no broker could reply. */
  #accepting = true;
  /** @type {PeerContext} */
  #context = /** @type {any} */ (undefined);
  #brokers;
  /** The number of connected brokers. */
  #connected = 0;
  meter = new Meter();
  /** Requests of a client that was never started. @type {Unstarted | undefined} */
  #unstarted;

  /** @param {Brokers} brokers */
  constructor(brokers) {
    this.#brokers = brokers;
    this.#unstarted = new Unstarted((request) => this.#cancel(request, 'C_TIMEOUT'));
  }

  /** @param {PeerContext} context */
  attach(context) {
    this.#context = context;
    // Weak, because an idle client may be collected.
    const weak = new WeakRef(this);
    context.outbox.rest = () => {
      weak.deref()?.finishAtExit();
      return false;
    };
  }

  /** The process ends. */
  finishAtExit() {
    for (const { source } of this.#outstanding.values()) source?.finishAtExit();
  }

  /** The endpoint of the broker, if there is exactly one. */
  get endpoint() {
    return this.#brokers.only;
  }

  /** The id of the next request. */
  get nextId() {
    return this.#lastId + 1;
  }

  get time() {
    return this.#context.outbox.time;
  }

  /** A connection to a broker was opened or lost. @param {boolean} up */
  connected(up) {
    this.#connected += up ? 1 : -1;
  }

  /** Describes what a request was waiting for whose time is over. @param {Request} request */
  timeoutMessage(request) {
    const started = this.#unstarted === undefined;
    return timeoutMessage(request, { brokers: this.#brokers, started, connected: this.#connected > 0 });
  }

  /**
   * @param {string} service
   * @param {Body} body
   * @param {RequestOptions} options
   * @param {Source} [source] in place of the body
   * @returns {Request} to which the caller adds the receivers of the outcome
   */
  send(service, body, options, source) {
    const { deadline, signal } = options;
    const request = new Request(this, this.nextId, service, options.timeout, signal, deadline);
    if (source !== undefined) this.#attach(request, source);
    if (signal?.aborted) {
      process.nextTick(() => request.end(FAILED, 'C_ABORTED', signal.reason));
    } else if (!this.#accepting) {
      process.nextTick(() => request.end(FAILED, 'C_STOPPED'));
    } else if (deadline === 0) {
      process.nextTick(() => request.end(FAILED, 'C_TIMEOUT'));
    } else {
      const op = source === undefined ? ClientOp.Request : ClientOp.Stream;
      const terms = options.timeout + options.how * TERMS;
      const left = deadline === undefined ? 0 : (deadline + 1) * LEFT;
      this.#context.outbox.putRequest(op, request.id, service, body, options.json, terms, left);
      this.#outstanding.add(request);
      if (this.#unstarted !== undefined) this.#unstarted.add(request);
      if (this.#outstanding.size === 1) this.#context.refresh();
    }
    this.#lastId = request.id;
    this.meter.requests += 1;
    return request;
  }

  /** @param {Request} request @param {Source} source */
  #attach(request, source) {
    request.source = source;
    const { id } = request;
    source.attach({
      part: (body, bytes) => {
        if (!this.#outstanding.has(id)) return;
        if (request.trace !== undefined) request.trace.size += sizeOf(body);
        this.#context.outbox.putUrgent(ClientOp.Chunk, id, body, bytes);
      },
      end: () => {
        if (this.#outstanding.has(id)) this.#context.outbox.put(ClientOp.ChunkEnd, id, '');
      },
      fail: (error) => this.#cancel(request, 'C_ABORTED', error),
    });
  }

  /** @param {number} id a request's, or -1 for the client itself */
  heartbeat(id) {
    if (!this.#accepting) return;
    if (id === -1 || this.#outstanding.has(id)) this.#context.outbox.putUrgent(ClientOp.Heartbeat, id, '');
  }

  /** Counts bytes of the reply that were read. @param {Request} request @param {number} cost */
  read(request, cost) {
    request.read += cost;
    if (request.read >= CREDIT_STEP) this.giveCredit(request);
  }

  /** Gives the worker credit for the bytes that were read. @param {Request} request */
  giveCredit(request) {
    const { id, read } = request;
    request.read = 0;
    if (this.#outstanding.has(id)) this.#context.outbox.putNumber(ClientOp.Credit, id, read);
  }

  /** Ends a request whose stream was destroyed. @param {Request} request */
  abort(request) {
    this.#cancel(request, 'C_ABORTED');
  }

  /**
   * Ends a request that may still be running. Its callbacks run later, not during a call of abort().
   * @param {Request} request
   * @param {string} code
   * @param {unknown} [cause]
   */
  #cancel(request, code, cause) {
    if (!this.#outstanding.delete(request)) return;
    this.#context.outbox.put(ClientOp.Cancel, request.id, '');
    this.#context.refresh();
    process.nextTick(() => request.end(FAILED, code, cause));
  }

  /** Accepts no more requests; calls `done` when the outstanding ones have ended. @param {() => void} done */
  drain(done) {
    this.#accepting = false;
    this.#outstanding.whenEmpty(done);
  }

  /** @param {unknown} [cause] */
  #stopAll(cause) {
    this.#accepting = false;
    this.#context.outbox.close();
    this.#context.outbox.clear();
    const requests = this.#outstanding.clear();
    this.#context.refresh();
    process.nextTick(() => {
      for (const request of requests) request.end(FAILED, 'C_STOPPED', cause);
    });
  }

  startCalled() {
    this.#accepting = true;
  }

  stopCalled() {
    this.#stopAll();
  }

  /** @param {Error} error why the client could not start */
  startFailed(error) {
    this.#stopAll(error);
  }

  opened() {
    this.#unstarted?.end();
    this.#unstarted = undefined;
  }

  stopped() {
    this.#connected = 0;
  }

  /**
   * Requests made before the start exist only here; the native side counts the others.
   * @param {{ connected: boolean, running: number }} native
   */
  stats({ connected, running }) {
    const outstanding = this.#outstanding.size;
    const sent = Math.min(running, outstanding);
    return {
      connected,
      outstanding,
      queued: outstanding - sent,
      running: sent,
      ...this.meter.describe(this.#context.core.bytes()),
    };
  }

  /** Only outstanding requests keep the process alive; a client serves nothing. @param {State} state */
  keepsAlive(state) {
    return state !== 'started' || this.#outstanding.size > 0;
  }

  /** @type {Take} */
  take(kind, id, a, _b, _c, text, at, blob, n) {
    const request = this.#outstanding.get(id);
    // Its request has ended here, while the record was on its way.
    if (request === undefined) return;
    if (kind >= CREDIT) {
      if (kind === CREDIT) request.source?.addCredit(n);
      else if (kind === ATTEMPT) request.madeAgain(n);
      else if (kind !== PLACE) request.source?.stop();
      else {
        const place = n % PLACES;
        const worker = place === RequestPlace.Worker ? text.slice(at, at + a) : undefined;
        request.isAt({ at: place, worker }, Math.floor(n / PLACES));
      }
      return;
    }
    let data;
    if (request.trace !== undefined && (kind === FINAL || kind === ERROR)) {
      request.trace.replySize += sizeOfData(blob, text, at, a);
    }
    if (kind === FAILED) data = text.slice(at, at + a);
    else if (blob === null) {
      this.#badReply(request, kind, 'W_TOO_LARGE');
      return;
    } else {
      try {
        data = bodyValue(blob, text, at, a);
        if (request.schema !== undefined && kind !== ERROR) {
          data = parse(request.schema, kind === PARTIAL ? 'partial' : 'reply', request.service, data);
        }
      } catch (error) {
        this.#badReply(request, kind, 'W_BAD_REPLY', error);
        return;
      }
    }
    if (kind === PARTIAL) {
      if (request.partial(data, n)) this.read(request, n);
    } else {
      this.#outstanding.delete(request);
      request.end(kind, data);
    }
  }

  /**
   * @param {Request} request
   * @param {number} kind
   * @param {string} code
   * @param {unknown} [cause]
   */
  #badReply(request, kind, code, cause) {
    if (kind === PARTIAL) return this.#cancel(request, code, cause);
    this.#outstanding.delete(request);
    request.end(FAILED, code, cause);
  }
}

exports.Requests = Requests;
