'use strict';

const { performance } = require('node:perf_hooks');
const { attemptOf, isStream, leftOf, serviceOf } = require('./attempt-field');
const { Capacity } = require('./capacity');
const { DataStreams } = require('./data-streams');
const { DeliveryOptions } = require('./delivery-options');
const { DeliveryTraces } = require('./delivery-traces');
const { Durations } = require('./durations');
const { Handlers } = require('./handlers');
const { Kind, WorkerOp } = require('./load');
const { Meter } = require('./meter');
const { BAD_REQUEST, NO_HANDLER, TOO_LARGE } = require('./own-error-values');
const { Reply, internals } = require('./reply');
const { ReplyRecords } = require('./reply-records');
const { RequestData } = require('./request-data');
const { RunningLimit } = require('./running-limit');
const { badRequest, parse } = require('./schema');
const { Scope } = require('./scope');
const { ServiceLimits } = require('./service-limits');
const { Table } = require('./table');
const { handlings: channel, isTraced, sizeOfData } = require('./tracing');
const { bodyValue } = require('./values');

/** @import { Blob, Take } from './inbox' */
/** @import { PeerContext } from './common-records' */
/** @import { State } from './peer' */
/** @import { ServiceSchema } from './schema' */

const { cancel, cancelled, credit, failure, finishAtExit, setDeadline } = internals;

/** The kinds of records from the native side. */
const { Request: REQUEST, Cancelled: CANCELLED, Credit: CREDIT, Chunk: CHUNK, ChunkEnd: CHUNK_END } = Kind;

/**
 * The role of a worker: its running requests, and the records about them. Components with a state of their own are
 * separate: capacity, limits, data streams, durations, traces, calls of handlers; and so are the records that the replies
 * submit.
 */
class Deliveries {
  /** The replies whose FINAL or ERROR was not submitted yet. @type {Table<Reply>} */
  #running = new Table();
  /** @type {PeerContext} */
  #context = /** @type {any} */ (undefined);
  /** @type {Handlers} */
  #handlerCalls = /** @type {any} */ (undefined);
  #capacity;
  /** @type {DataStreams} */
  #streams = /** @type {any} */ (undefined);
  /** @type {Durations} */
  #durations = /** @type {any} */ (undefined);
  /** The limit of the handlers' running time, if there is one. @type {RunningLimit | undefined} */
  #runningLimit;
  #traces = new DeliveryTraces();
  /** Whether the native side keeps the ids of requests for the traces. */
  #keepsIds = false;
  #meter = new Meter();
  #options = new DeliveryOptions();
  #records;
  #schemas;
  /** The names of the services, and their handlers if handlers were given with them. */
  #services;
  #handlers;
  /** The limits of services that have one of their own. @type {ServiceLimits | undefined} */
  #serviceLimits;

  /**
   * @param {number} concurrency
   * @param {number} maxMessageSize
   * @param {readonly string[]} services
   * @param {readonly Function[] | undefined} handlers one for each service
   * @param {number} maxRunning in ms, -1 without limit
   * @param {Map<string, ServiceSchema>} [schemas] by the names of services
   * @param {readonly number[]} [limits] the concurrency of each service, -1 without limit
   */
  constructor(concurrency, maxMessageSize, services, handlers, maxRunning, schemas, limits = []) {
    this.#services = services;
    this.#handlers = handlers;
    this.#capacity = new Capacity(concurrency);
    this.#schemas = schemas;
    const ended = (/** @type {number} */ id) => {
      this.#serviceLimits?.end(id);
      this.#runningLimit?.end(id);
    };
    const worker = { running: this.#running, meter: this.#meter, traces: this.#traces, ended };
    this.#records = new ReplyRecords(worker, maxMessageSize, schemas);
    if (maxRunning !== -1) this.#runningLimit = new RunningLimit(maxRunning, (id) => this.#expire(id));
    if (limits.length > 0) {
      this.#serviceLimits = new ServiceLimits(limits, (...request) => this.#deliver(...request));
    }
  }

  /** @param {PeerContext} context */
  attach(context) {
    this.#context = context;
    this.#handlerCalls = new Handlers(context.peer, this.#handlers);
    this.#capacity.attach(context);
    this.#streams = new DataStreams(context.outbox);
    this.#durations = new Durations(this.#meter, context.outbox);
    this.#records.attach(context, this.#streams, this.#durations);
    context.outbox.rest = () => this.#sendRest();
  }

  get capacity() {
    return this.#capacity;
  }

  room() {
    return this.#capacity.room(this.#running.size + (this.#serviceLimits?.waiting ?? 0));
  }

  opened() {
    this.#capacity.opened();
  }

  stopCalled() {
    this.#capacity.stopCalled();
  }

  /** @param {{ connected: boolean, queued: number, running: number }} native */
  stats({ connected, queued, running }) {
    const done = this.#meter.describe(this.#context.core.bytes());
    return { connected, outstanding: queued + running, queued, running, ...done };
  }

  /** @param {number} now */
  timed(now) {
    this.#durations.timed(now);
    if (isTraced(channel) !== this.#keepsIds) {
      this.#keepsIds = !this.#keepsIds;
      this.#context.core.keepRequestIds(this.#keepsIds);
    }
  }

  stopped() {
    this.#context.outbox.clear();
    this.#runningLimit?.clear();
    this.#serviceLimits?.clear();
    this.#streams.closeAll((id) => failure(/** @type {Reply} */ (this.#running.get(id)), 'W_LOST'));
    for (const reply of this.#running.clear()) {
      this.#cancel(reply, 'W_LOST');
    }
    this.#traces.clear('W_LOST');
  }

  /**
   * A worker keeps the process alive as a listening server does. While it drains without a timeout, only the
   * resources for which its handlers wait keep it alive, so a handler that never ends does not. The last
   * replies are still sent.
   * @param {State} state
   * @param {number} patience
   */
  keepsAlive(state, patience) {
    return state !== 'stopping' || patience !== -1 || this.#running.size === 0;
  }

  /** @type {Take} */
  take(kind, id, a, b, c, text, at, blob, n, d, e) {
    if (kind === REQUEST) {
      const limits = this.#serviceLimits;
      const waits = limits?.admit(serviceOf(n), [id, a, b, c, text, at, blob, n, d, e]) === false;
      if (!waits) this.#deliver(id, a, b, c, text, at, blob, n, d, e);
    } else if (kind === CANCELLED) {
      if (this.#serviceLimits?.drop(id)) this.#context.outbox.put(WorkerOp.Error, id, 'null');
      const reply = this.#running.get(id);
      if (reply === undefined) return;
      const code = text.slice(at, at + a);
      this.#traces.cancelled(id, code);
      this.#streams.close(id, () => failure(reply, code));
      this.#cancel(reply, code);
    } else if (kind === CREDIT) {
      const reply = this.#running.get(id);
      if (reply !== undefined) credit(reply, n);
    } else if (kind === CHUNK) {
      if (this.#traces.size > 0) this.#traces.received(id, sizeOfData(blob, text, at, a));
      const wrong = this.#streams.take(id, a, text, at, blob, n);
      if (wrong !== undefined) this.#refuse(id, wrong);
    } else if (kind === CHUNK_END) {
      this.#streams.end(id);
    }
  }

  /**
   * Fails a request whose data or a part of them cannot be given to its handler.
   * @param {number} id
   * @param {{ code: string }} value the client's error value, with the code with which the data stream fails
   */
  #refuse(id, value) {
    const reply = this.#running.get(id);
    if (reply === undefined) return;
    this.#streams.close(id, () => failure(reply, value.code));
    reply.error(value);
  }

  /** @param {Reply} reply @param {string} code */
  #cancel(reply, code) {
    if (!cancelled(reply)) this.#meter.error(code);
    cancel(reply, code);
  }

  /**
   * The process ends: sends the replies that have ended, as far as there is credit.
   * @returns {boolean} whether one waits for more
   */
  #sendRest() {
    const ended = this.#running.values().filter((reply) => reply.ended);
    if (ended.length === 0) return false;
    this.#context.takeLast((kind, id, n) => {
      const reply = this.#running.get(id);
      if (!reply?.ended) return;
      if (kind === CREDIT) credit(reply, n);
      else if (kind === CANCELLED) this.#cancel(reply, 'W_LOST');
    });
    return ended.filter(finishAtExit).length < ended.length;
  }

  /** Ends a delivery whose handler has exceeded the time limit; its place becomes free. @param {number} id */
  #expire(id) {
    const reply = this.#running.get(id);
    if (reply === undefined) return;
    this.#running.delete(id);
    this.#serviceLimits?.end(id);
    this.#context.outbox.put(WorkerOp.Expired, id, '');
    this.#context.roomy();
    if (this.#running.size === 0) this.#context.refresh();
    this.#traces.failed(id, 'W_TIMEOUT');
    this.#streams.close(id, () => failure(reply, 'W_TIMEOUT'));
    this.#cancel(reply, 'W_TIMEOUT');
  }

  /**
   * @param {number} id
   * @param {number} a length of the data
   * @param {number} b length of the options
   * @param {number} c length of the name that was asked for
   * @param {string} text
   * @param {number} at the start of the data
   * @param {Blob | undefined} blob
   * @param {number} n see `attempt-field.js`
   * @param {number} d length of the user's name
   * @param {number} e length of its metadata
   */
  #deliver(id, a, b, c, text, at, blob, n, d, e) {
    const attempt = attemptOf(n);
    const number = serviceOf(n);
    const service = this.#services[number];
    const scope = new Scope('zmq-omdp.handle');
    const reply = new Reply(this.#records, id, service, attempt, scope, this.#durations.begin());
    this.#meter.requests += 1;
    if (attempt > 1) this.#meter.retried += 1;
    this.#running.add(id, reply);
    this.#runningLimit?.begin(id);
    if (blob === null) {
      reply.error(TOO_LARGE);
      this.#handlerCalls.report(failure(reply, 'C_TOO_LARGE'));
      return;
    }
    let data;
    let options;
    try {
      if (isStream(n)) data = this.#streams.open(id, scope);
      else data = bodyValue(blob, text, at, a);
      options = this.#options.read(text, at + a, b, c, d, e, attempt);
      // A broker that does not support deadlines passes on the time that was left when the request was made.
      const left = leftOf(n) ?? options.deadline;
      if (left !== undefined) setDeadline(reply, performance.now() + left);
    } catch {
      reply.error(BAD_REQUEST);
      return;
    }
    if (this.#schemas !== undefined && !(data instanceof RequestData)) {
      try {
        data = parse(this.#schemas.get(service), 'request', service, data);
      } catch (error) {
        reply.error(badRequest(error));
        return;
      }
    }
    const listeners = this.#handlerCalls.of(number);
    if (listeners.length === 0) {
      reply.error(NO_HANDLER);
      return;
    }
    if (isTraced(channel)) {
      const size = sizeOfData(blob, text, at, a);
      const { core, peer } = this.#context;
      const rid = core.requestId(id) ?? undefined;
      const message = this.#traces.add(id, rid, service, peer.name, options, size);
      const { runTraced } = this.#handlerCalls;
      scope.runInAsyncScope(runTraced, this.#handlerCalls, message, listeners, data, reply, options);
    } else {
      const { run } = this.#handlerCalls;
      scope.runInAsyncScope(run, this.#handlerCalls, listeners, data, reply, options);
    }
  }
}

exports.Deliveries = Deliveries;
