'use strict';

const { performance } = require('node:perf_hooks');
const { OmdpError, RemoteError, rejection, throwLater } = require('./errors');
const { OVERHEAD } = require('./flow');
const { Kind } = require('./load');
const { finish, push } = require('./response');
const { SchemaError } = require('./schema');
const { finish: finishTrace, partials, requests: channel, retries } = require('./tracing');

/** @import { Requests } from './requests' */
/** @import { RequestStream } from './response' */
/** @import { ServiceSchema } from './schema' */
/** @import { Scope } from './scope' */
/** @import { Source } from './source' */
/** @import { Message } from './tracing' */

const FINAL = Kind.Final;
const ERROR = Kind.Error;

/**
 * Where a request is: one of `RequestPlace`, and the name of its worker.
 * @typedef {{ at: number, worker?: string }} Place
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
  /** The number of its latest attempt, if it is known. @type {number | undefined} */
  attempt;
  /** The same, if its retry policy has made it again. @type {number | undefined} */
  madeAgainAs;

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
    this.#count(how, value);
    if (trace === undefined) {
      this.#tell(how, value, cause);
      return;
    }
    if (how !== FINAL) {
      trace.error = this.#failure(how, value, cause)();
      trace.code = trace.error.code;
      trace.worker ??= trace.error.worker;
    }
    finishTrace(channel, trace, this.#tell, this, how, value, cause);
  }

  /** @param {number} how @param {any} value */
  #count(how, value) {
    const { meter, time } = this.requests;
    if (how === FINAL) meter.replies += 1;
    else if (how === ERROR) meter.failures += 1;
    else meter.error(value);
    meter.took(time - this.since);
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

  /** Its retry policy makes it again. @param {number} attempt */
  madeAgain(attempt) {
    this.attempt = attempt;
    this.madeAgainAs = attempt;
    this.place = undefined;
    this.requests.meter.retried += 1;
    const { scope, trace } = this;
    if (trace === undefined) return;
    trace.attempt = attempt;
    if (retries.hasSubscribers) scope?.runInAsyncScope(retries.publish, retries, trace);
  }

  /** The broker reports its place. @param {Place} place @param {number} attempt the latest one, 0 if none */
  isAt(place, attempt) {
    this.place = place;
    if (attempt > (this.attempt ?? 0)) this.attempt = attempt;
  }

  /** The failure with a code, as it is now. @param {string} code @param {unknown} [cause] */
  failed(code, cause) {
    return this.#failure(Kind.Failed, code, cause);
  }

  /**
   * Captures the present state for an Error that is created later.
   * @param {number} how ERROR or FAILED
   * @param {any} value
   * @param {unknown} cause
   * @returns {() => Error & { code?: string }}
   */
  #failure(how, value, cause) {
    const { id, service, attempt, requests } = this;
    const elapsed = Math.round(performance.now() - this.since);
    const { worker } = this.place ?? {};
    const context = { service, rid: String(id), attempt, elapsed, endpoint: requests.endpoint, worker };
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

exports.Request = Request;
