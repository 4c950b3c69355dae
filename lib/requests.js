'use strict';

const { performance } = require('node:perf_hooks');
const { OmdpError, RemoteError, rejection, throwLater } = require('./errors');
const { GRANT, OVERHEAD } = require('./flow');
const { ClientOp, Kind, LeftShift, TermsShift } = require('./load');
const { Meter } = require('./meter');
const { finish, push } = require('./response');
const { SchemaError, parse } = require('./schema');
const { Signals } = require('./signals');
const { finish: finishTrace, partials, requests: channel, sizeOf, sizeOfBlob } = require('./tracing');
const { Table } = require('./table');
const { Unstarted } = require('./unstarted');
const { bodyValue } = require('./values');

/** @import { Take } from './inbox' */
/** @import { Brokers } from './brokers' */
/** @import { Link, State } from './peer' */
/** @import { RequestOptions } from './request-options' */
/** @import { RequestStream } from './response' */
/** @import { ServiceSchema } from './schema' */
/** @import { Scope } from './scope' */
/** @import { Source } from './source' */
/** @import { Message } from './tracing' */
/** @import { Body } from './values' */

/** The kinds of records from the native side. Those from FINAL on end a request, and are also its outcome. */
const PARTIAL = Kind.Partial;
const FINAL = Kind.Final;
const ERROR = Kind.Error;
const FAILED = Kind.Failed;
/** The kinds of records about a request's stream and place; their numbers are above the others. */
const CREDIT = Kind.Credit;
const PLACE = Kind.Place;

/** One number holds the timeout of a request and, multiplied by this factor, its treatment. */
const TERMS = 2 ** TermsShift.Retry;
/**
 * One number holds the length of its options and, multiplied by this factor, the time left until its
 * deadline.
 */
const LEFT = 2 ** LeftShift.Options;

const OP_REQUEST = ClientOp.Request;
const OP_CANCEL = ClientOp.Cancel;
const OP_HEARTBEAT = ClientOp.Heartbeat;
const OP_CREDIT = ClientOp.Credit;
const OP_STREAM = ClientOp.Stream;
const OP_CHUNK = ClientOp.Chunk;
const OP_CHUNK_END = ClientOp.ChunkEnd;

/**
 * Where a request is: in the queue of a service without a worker, in that of a service with workers, or at a
 * worker.
 * @typedef {{ at: 'none' | 'queued' | 'worker', worker?: string }} Place
 */

/** One request from its creation to its end, with the receivers of its outcome. */
class Request {
  /** @type {((err: any, data?: any) => void) | undefined} */
  partialCb;
  /** @type {((err: any, data?: any) => void) | undefined} */
  finalCb;
  /**
   * The promise of `call()`.
   * @type {{ resolve: (data: any) => void, reject: (error: Error) => void } | undefined}
   */
  promise;
  /** @type {RequestStream | undefined} */
  stream;
  /** The async context of callbacks and stream events; a promise has its own. @type {Scope | undefined} */
  scope;
  /** The message for subscribers of the channels, if there are any. @type {Message | undefined} */
  trace;
  /** The schema of its reply. @type {ServiceSchema | undefined} */
  schema;
  /** How many bytes of its reply were read since the last credit. */
  read = 0;
  /** Whether a part of its reply has arrived. */
  heard = false;
  /** The data, if they are a stream. @type {Source | undefined} */
  source;
  /** The place that the broker reported last. @type {Place | undefined} */
  place;

  /**
   * @param {Requests} requests
   * @param {number} id
   * @param {string} service
   * @param {number} timeout
   * @param {AbortSignal | undefined} signal
   * @param {number | undefined} deadline
   */
  constructor(requests, id, service, timeout, signal, deadline) {
    this.requests = requests;
    this.id = id;
    this.service = service;
    this.timeout = timeout;
    this.signal = signal;
    this.deadline = deadline;
    this.since = requests.time;
  }

  /**
   * @param {any} data
   * @param {number} cost
   * @returns {boolean} whether it was read; otherwise it waits in the stream
   */
  partial(data, cost) {
    if (this.scope === undefined) return this.#partial(data, cost);
    return this.scope.runInAsyncScope(this.#partial, this, data, cost);
  }

  /** @param {any} data @param {number} cost @returns {boolean} */
  #partial(data, cost) {
    this.heard = true;
    this.requests.meter.partials += 1;
    if (this.trace !== undefined) countPart(this.trace, cost);
    const partialCb = this.partialCb;
    if (partialCb !== undefined) {
      try {
        // Both signatures work: the README of 0.0.92 shows `function (data)`, and its code calls `(null,
        // data)`.
        if (partialCb.length === 1) partialCb(data);
        else partialCb(null, data);
      } catch (error) {
        throwLater(error);
      }
    }
    return this.stream === undefined || push(this.stream, data, cost);
  }

  /**
   * @param {number} how FINAL, ERROR or FAILED
   * @param {any} value the final's data, the worker's error value, or the code
   * @param {unknown} [cause]
   */
  end(how, value, cause) {
    if (this.source !== undefined) this.source.stop();
    if (this.scope === undefined) this.#end(how, value, cause);
    else this.scope.runInAsyncScope(this.#end, this, how, value, cause);
  }

  /** @param {number} how @param {any} value @param {unknown} [cause] */
  #end(how, value, cause) {
    const { trace } = this;
    this.requests.count(this, how, value);
    if (trace === undefined) {
      this.#tell(how, value, cause);
      return;
    }
    if (how !== FINAL) {
      trace.error = this.#failure(how, value, cause)();
      trace.code = trace.error.code;
    }
    finishTrace(channel, trace, () => this.#tell(how, value, cause));
  }

  /** @param {number} how @param {any} value @param {unknown} [cause] */
  #tell(how, value, cause) {
    if (this.promise !== undefined) {
      if (how === FINAL) this.promise.resolve(value);
      else this.promise.resolve(rejection(this.#failure(how, value, cause)));
      return;
    }
    const finalCb = this.finalCb;
    if (finalCb !== undefined) {
      try {
        if (how === FINAL) finalCb(null, value);
        else finalCb(value);
      } catch (error) {
        throwLater(error);
      }
    }
    if (this.stream === undefined) return;
    if (how === FINAL) finish(this.stream, value, undefined);
    else finish(this.stream, undefined, { value, toError: this.#failure(how, value, cause) });
  }

  /**
   * Captures the present state for an Error that is created later.
   * @param {number} how ERROR or FAILED
   * @param {any} value
   * @param {unknown} cause
   * @returns {() => Error & { code?: string }}
   */
  #failure(how, value, cause) {
    const { id, service, requests } = this;
    const elapsed = Math.round(performance.now() - this.since);
    const { worker } = this.place ?? {};
    const context = { service, rid: String(id), elapsed, endpoint: requests.endpoint, worker };
    if (how === ERROR) return () => new RemoteError(value, context);
    /** @type {string | undefined} */
    let message;
    if (value === 'C_TIMEOUT') message = requests.timeoutMessage(this);
    else if (cause instanceof SchemaError) message = cause.message;
    return () => new OmdpError(value, { message, cause, ...context });
  }
}

/** @param {Message} trace @param {number} cost */
function countPart(trace, cost) {
  trace.partials += 1;
  trace.replySize += Math.max(0, cost - OVERHEAD);
  partials.publish(trace);
}

/** The outstanding requests of a client: its part that handles the records of the native side. */
class Requests {
  /** @type {Table<Request>} */
  #outstanding = new Table();
  #lastId = 0;
  /** False after stop() or a failed start: until the next start() no broker could reply. */
  #accepting = true;
  /** @type {Link} */
  #link = /** @type {any} */ (undefined);
  #brokers;
  /** The number of connected brokers. */
  #connected = 0;
  meter = new Meter();
  /** Requests of a client that was never started. @type {Unstarted | undefined} */
  #unstarted;
  /** Called when no request is outstanding. @type {(() => void) | undefined} */
  #onDrained;
  #signals = new Signals((/** @type {Request} */ request, reason) => {
    this.#cancel(request, 'C_ABORTED', reason);
  });

  /** @param {Brokers} brokers */
  constructor(brokers) {
    this.#brokers = brokers;
    this.#unstarted = new Unstarted((request) => this.#cancel(request, 'C_TIMEOUT'));
  }

  /** @param {Link} link */
  attach(link) {
    this.#link = link;
  }

  /** The endpoint of the broker, if there is exactly one. */
  get endpoint() {
    return this.#brokers.only;
  }

  get time() {
    return this.#link.outbox.time;
  }

  /** A connection to a broker was opened or lost. @param {boolean} up */
  connected(up) {
    this.#connected += up ? 1 : -1;
  }

  /** Describes what a timed-out request was waiting for. @param {Request} request */
  timeoutMessage({ deadline, heard, place, service, since, timeout }) {
    const late = deadline !== undefined && performance.now() - since >= deadline;
    const what = late
      ? `the deadline of ${deadline} ms for service "${service}" has passed`
      : `no reply from service "${service}" within ${timeout} ms`;
    const where = this.#brokers.toString();
    if (this.#unstarted !== undefined) return `${what}: the client was not started`;
    if (this.#connected <= 0) return `${what}: ${this.#brokers.describeMissing()}`;
    const worker = place?.worker === undefined ? 'its worker' : `worker "${place.worker}"`;
    if (heard && late) return `${what}: ${worker} has not sent the whole reply`;
    if (heard) return `${what} after the last part: ${worker} sent nothing more`;
    if (place === undefined) return `${what}: no worker for it at ${where}, or its worker did not answer`;
    if (place.at === 'none') return `${what}: no worker is registered for it at ${where}`;
    if (place.at === 'queued') return `${what}: all workers for it at ${where} were busy`;
    return `${what}: ${worker} has the request and did not answer`;
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
    const request = new Request(this, this.#lastId + 1, service, options.timeout, signal, deadline);
    if (source !== undefined) this.#attach(request, source);
    if (signal?.aborted) {
      process.nextTick(() => request.end(FAILED, 'C_ABORTED', signal.reason));
    } else if (!this.#accepting) {
      process.nextTick(() => request.end(FAILED, 'C_STOPPED'));
    } else if (deadline === 0) {
      process.nextTick(() => request.end(FAILED, 'C_TIMEOUT'));
    } else {
      const terms = options.timeout + options.how * TERMS;
      const op = source === undefined ? OP_REQUEST : OP_STREAM;
      const left = deadline === undefined ? 0 : (deadline + 1) * LEFT;
      this.#link.outbox.putRequest(op, request.id, service, body, options.json, terms, left);
      if (signal !== undefined) this.#signals.watch(signal, request);
      this.#outstanding.add(request.id, request);
      if (this.#unstarted !== undefined) this.#unstarted.add(request);
      if (this.#outstanding.size === 1) this.#link.refresh();
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
        if (this.#outstanding.has(id)) this.#link.outbox.putUrgent(OP_CHUNK, id, body, bytes);
      },
      end: () => {
        if (this.#outstanding.has(id)) this.#link.outbox.put(OP_CHUNK_END, id, '');
      },
      fail: (error) => this.#cancel(request, 'C_ABORTED', error),
    });
  }

  /**
   * Counts the end of a request.
   * @param {Request} request
   * @param {number} how
   * @param {any} value
   */
  count({ since }, how, value) {
    const { meter } = this;
    if (how === FINAL) meter.replies += 1;
    else if (how === ERROR) meter.failures += 1;
    else meter.error(value);
    meter.took(this.time - since);
  }

  /** @param {number} id a request's, or -1 for the client itself */
  heartbeat(id) {
    if (!this.#accepting) return;
    if (id === -1 || this.#outstanding.has(id)) this.#link.outbox.putUrgent(OP_HEARTBEAT, id, '');
  }

  /**
   * Counts bytes of the reply that were read.
   * @param {Request} request
   * @param {number} cost
   */
  read(request, cost) {
    request.read += cost;
    if (request.read >= GRANT) this.grant(request);
  }

  /**
   * Gives the worker credit for the bytes that were read.
   * @param {Request} request
   */
  grant(request) {
    const { id, read } = request;
    request.read = 0;
    if (this.#outstanding.has(id)) this.#link.outbox.putNumber(OP_CREDIT, id, read);
  }

  /**
   * Ends a request whose stream was destroyed.
   * @param {Request} request
   */
  abort(request) {
    this.#cancel(request, 'C_ABORTED');
  }

  /**
   * Ends a request that may still be running. Its callbacks run later, because the caller of abort() does not
   * expect them during the call.
   * @param {Request} request
   * @param {string} code
   * @param {unknown} [cause]
   */
  #cancel(request, code, cause) {
    if (!this.#forget(request)) return;
    this.#link.outbox.put(OP_CANCEL, request.id, '');
    this.#link.refresh();
    process.nextTick(() => request.end(FAILED, code, cause));
  }

  /** @param {Request} request @returns {boolean} whether it was outstanding */
  #forget(request) {
    this.#unwatch(request);
    const found = this.#outstanding.delete(request.id);
    if (this.#onDrained !== undefined && this.#outstanding.size === 0) this.#drained();
    return found;
  }

  /**
   * Accepts no more requests, and calls `done` when the outstanding ones have ended.
   * @param {() => void} done
   */
  drain(done) {
    this.#accepting = false;
    this.#onDrained = done;
    if (this.#outstanding.size === 0) this.#drained();
  }

  #drained() {
    const done = this.#onDrained;
    this.#onDrained = undefined;
    // The receivers of the last outcome are called first.
    if (done !== undefined) process.nextTick(done);
  }

  /** @param {Request} request */
  #unwatch(request) {
    if (request.signal !== undefined) this.#signals.unwatch(request.signal, request);
  }

  /** @param {unknown} [cause] */
  #stopAll(cause) {
    this.#accepting = false;
    this.#link.outbox.close();
    this.#link.outbox.clear();
    this.#onDrained = undefined;
    const requests = this.#outstanding.clear();
    for (const request of requests) this.#unwatch(request);
    this.#link.refresh();
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
      ...this.meter.describe(this.#link.core.bytes()),
    };
  }

  /**
   * Only outstanding requests keep the process alive; a client serves nothing.
   * @param {State} state
   */
  holds(state) {
    return state !== 'started' || this.#outstanding.size > 0;
  }

  /** @type {Take} */
  take(kind, id, a, b, _c, text, at, blob, n) {
    const request = this.#outstanding.get(id);
    // Its request has ended here, while the record was on its way.
    if (request === undefined) return;
    if (kind >= CREDIT) {
      if (kind === CREDIT) request.source?.grant(n);
      else if (kind !== PLACE) request.source?.stop();
      else {
        const place = /** @type {Place['at']} */ (text.slice(at, at + a));
        request.place = {
          at: place,
          worker: place === 'worker' ? text.slice(at + a, at + a + b) : undefined,
        };
      }
      return;
    }
    let data;
    if (request.trace !== undefined && (kind === FINAL || kind === ERROR)) {
      request.trace.replySize += blob === undefined ? sizeOf(text.slice(at, at + a)) : sizeOfBlob(blob);
    }
    if (kind === FAILED) data = text.slice(at, at + a);
    else if (blob === null) {
      this.#badReply(request, kind, 'W_TOO_LARGE');
      return;
    } else {
      try {
        data = bodyValue(blob, text, at, a);
      } catch (error) {
        this.#badReply(request, kind, 'W_BAD_REPLY', error);
        return;
      }
    }
    if (request.schema !== undefined && (kind === PARTIAL || kind === FINAL)) {
      try {
        data = parse(request.schema, kind === PARTIAL ? 'partial' : 'reply', request.service, data);
      } catch (error) {
        this.#badReply(request, kind, 'W_BAD_REPLY', error);
        return;
      }
    }
    if (kind === PARTIAL) {
      if (request.partial(data, n)) this.read(request, n);
    } else {
      this.#forget(request);
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
    if (kind === PARTIAL) {
      this.#cancel(request, code, cause);
    } else {
      this.#forget(request);
      request.end(FAILED, code, cause);
    }
  }
}

exports.Request = Request;
exports.Requests = Requests;
