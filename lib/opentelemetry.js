'use strict';

// `zmq-omdp/opentelemetry`: spans and metrics of requests and of their handling, from the messages on the
// channels of `lib/tracing.js`. They follow version 1.45 of the semantic conventions for RPC.

const {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  context,
  propagation,
  trace: tracing,
  ValueType,
} = require('@opentelemetry/api');
const { InstrumentationBase } = require('@opentelemetry/instrumentation');
const { OmdpError, RemoteError } = require('./errors');
const { handlings, partials, requests, retries } = require('./tracing');
const { version } = require('../package.json');

/** @import { Attributes, Context, Histogram, Span } from '@opentelemetry/api' */
/** @import { InstrumentationConfig } from '@opentelemetry/instrumentation' */
/** @import { Message } from './tracing' */

const SYSTEM = 'zmq-omdp';

/** In seconds, as the conventions recommend. */
const BOUNDARIES = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** The member of a message with its open span. */
const OPEN = Symbol('span');

/**
 * An open span, the context with it, the attributes that the span and the metric have in common, and the size of the
 * data at the start.
 * @typedef {{ span: Span, active: Context, common: Attributes, size: number }} Open
 */

/** @typedef {{ client: Histogram, server: Histogram }} Durations */

class ZmqOmdpInstrumentation extends InstrumentationBase {
  // No private fields: the parent's constructor calls methods of this class before they would exist.

  /** @param {InstrumentationConfig} [config] */
  constructor(config = {}) {
    super(SYSTEM, version, config);
    /** The number of open spans. */
    this._openSpans = 0;
  }

  /** No module is patched. @override */
  init() {
    return [];
  }

  /** @override */
  enable() {
    super.enable();
    this._active = true;
    if (this._subscribers !== undefined) return;
    const requestEnds = (/** @type {Message} */ message) => this._ends(message, this._durations?.client);
    const handlingEnds = (/** @type {Message} */ message) => this._ends(message, this._durations?.server);
    /** @type {any} */
    const request = {
      start: (/** @type {Message} */ message) => this._requestStarts(message),
      // It could not be made, and has no asyncEnd.
      end: (/** @type {Message} */ message) => message.error !== undefined && requestEnds(message),
      asyncEnd: requestEnds,
      error: (/** @type {Message} */ message) => failed(message),
    };
    /** @type {any} */
    const handling = {
      start: (/** @type {Message} */ message) => this._handlingStarts(message),
      asyncEnd: handlingEnds,
      error: (/** @type {Message} */ message) => failed(message),
    };
    const partial = (/** @type {any} */ message) => partialCame(message);
    const retry = (/** @type {any} */ message) => retried(message);
    this._subscribers = { request, handling, partial, retry };
    requests.subscribe(request);
    handlings.subscribe(handling);
    partials.subscribe(partial);
    retries.subscribe(retry);
  }

  /** Requests and handlings whose spans are open are still observed until they end. @override */
  disable() {
    super.disable();
    this._active = false;
    this._unsubscribe();
  }

  _unsubscribe() {
    if (this._subscribers === undefined || this._active || this._openSpans > 0) return;
    requests.unsubscribe(this._subscribers.request);
    handlings.unsubscribe(this._subscribers.handling);
    partials.unsubscribe(this._subscribers.partial);
    retries.unsubscribe(this._subscribers.retry);
    this._subscribers = undefined;
  }

  /** @override */
  _updateMetricInstruments() {
    /** @param {'client' | 'server'} side */
    const duration = (side) =>
      this.meter.createHistogram(`rpc.${side}.call.duration`, {
        description: `How long ${side === 'client' ? 'outgoing' : 'incoming'} calls took.`,
        unit: 's',
        valueType: ValueType.DOUBLE,
        advice: { explicitBucketBoundaries: BOUNDARIES },
      });
    /** @type {Durations} */
    this._durations = { client: duration('client'), server: duration('server') };
  }

  /** @param {Message} message @param {Histogram | undefined} durations */
  _ends(message, durations) {
    if (message[OPEN] === undefined) return;
    end(message, durations);
    this._openSpans -= 1;
    this._unsubscribe();
  }

  /** @param {Message} message */
  _requestStarts(message) {
    if (!this._active) return;
    const common = attributesOf(message);
    const attributes = requestAttributes(common, message);
    const parent = context.active();
    const span = this.tracer.startSpan(message.service, { kind: SpanKind.CLIENT, attributes }, parent);
    const active = tracing.setSpan(parent, span);
    message[OPEN] = { span, active, common, size: message.size };
    this._openSpans += 1;
    // MDP requests have no headers.
    if (message.headers !== undefined) propagation.inject(active, message.headers);
  }

  /** @param {Message} message */
  _handlingStarts(message) {
    if (!this._active) return;
    const outer = context.active() ?? ROOT_CONTEXT;
    const parent = message.headers === undefined ? outer : propagation.extract(outer, message.headers);
    const common = attributesOf(message);
    const attributes = {
      'rpc.system.name': SYSTEM,
      'rpc.method': message.service,
      'zmq_omdp.worker.name': message.worker,
      'zmq_omdp.request.size': message.size,
    };
    const span = this.tracer.startSpan(message.service, { kind: SpanKind.SERVER, attributes }, parent);
    if (message.attempt > 1) span.addEvent('retry', { 'zmq_omdp.attempt': message.attempt });
    const active = tracing.setSpan(parent, span);
    message[OPEN] = { span, active, common, size: message.size };
    this._openSpans += 1;
    message.run = (/** @type {() => void} */ handle) => context.with(active, handle);
  }
}

/** The last endpoint, and its address and port. */
let lastEndpoint = '';
/** @type {{ host: string, port: number } | undefined} */
let lastAddress;

/** @param {string} endpoint @returns {{ host: string, port: number } | undefined} if it is one over TCP */
function addressOf(endpoint) {
  if (endpoint !== lastEndpoint) {
    const parts = /^tcp:\/\/(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(endpoint);
    lastAddress = parts === null ? undefined : { host: parts[1] ?? parts[2], port: Number(parts[3]) };
    lastEndpoint = endpoint;
  }
  return lastAddress;
}

/** The last service and broker, and their attributes, which requests and metrics share. */
let lastService = '';
/** @type {string | undefined} */
let lastBroker;
/** @type {Attributes} */
let lastAttributes = {};

/** @param {Message} message @returns {Attributes} */
function attributesOf({ service, broker }) {
  if (service !== lastService || broker !== lastBroker) {
    const address = broker === undefined ? undefined : addressOf(broker);
    lastService = service;
    lastBroker = broker;
    lastAttributes = Object.freeze(
      address === undefined
        ? { 'rpc.system.name': SYSTEM, 'rpc.method': service }
        : {
            'rpc.system.name': SYSTEM,
            'rpc.method': service,
            'server.address': address.host,
            'server.port': address.port,
          },
    );
  }
  return lastAttributes;
}

/**
 * The attributes of a request's span. All are named, because properties behind a spread cost a hundred times more.
 * @param {Attributes} common
 * @param {Message} message
 * @returns {Attributes}
 */
function requestAttributes(common, { service, client, size }) {
  if (common['server.address'] === undefined) {
    return {
      'rpc.system.name': SYSTEM,
      'rpc.method': service,
      'zmq_omdp.client.name': client,
      'zmq_omdp.request.size': size,
    };
  }
  return {
    'rpc.system.name': SYSTEM,
    'rpc.method': service,
    'server.address': common['server.address'],
    'server.port': common['server.port'],
    'zmq_omdp.client.name': client,
    'zmq_omdp.request.size': size,
  };
}

/** Codes and names of errors that are shown as they are: the first ones, because peers may make up any number. */
const MAX_TYPES = 100;
/** @type {Set<string>} */
const types = new Set();

/** @param {unknown} type @returns {type is string} */
function isShown(type) {
  if (typeof type !== 'string' || type === '' || type.length > 100) return false;
  if (types.size < MAX_TYPES) types.add(type);
  return types.has(type);
}

/** The attributes of a failure. @param {Message} message @returns {Attributes} */
function outcomeOf({ error }) {
  const { code, name, value } = error;
  if (error instanceof OmdpError) return { 'error.type': code, 'rpc.status_code': code };
  const any = code ?? value?.code;
  // Error values come from peers, and may be of any type.
  const given = typeof any === 'number' ? String(any) : any;
  if (isShown(given)) return { 'error.type': given, 'rpc.status_code': given };
  // A worker sends the name of the error that its handler threw.
  const type = error instanceof RemoteError ? (value?.name ?? name) : name;
  return { 'error.type': isShown(type) ? type : '_OTHER' };
}

/** @param {Message} message */
function failed(message) {
  /** @type {Open | undefined} */
  const open = message[OPEN];
  open?.span.setAttributes(outcomeOf(message));
  open?.span.setStatus({ code: SpanStatusCode.ERROR, message: message.error.message });
}

/** @param {Message} message */
function partialCame(message) {
  /** @type {Open | undefined} */
  const open = message[OPEN];
  // The events of a span that is not sampled are never read.
  if (!open?.span.isRecording()) return;
  open.span.addEvent('partial', {
    'zmq_omdp.partial.number': message.partials,
    'zmq_omdp.reply.size': message.replySize,
  });
}

/** @param {Message} message */
function retried(message) {
  /** @type {Open | undefined} */
  const open = message[OPEN];
  open?.span.addEvent('retry', { 'zmq_omdp.attempt': message.attempt });
}

/** @param {Message} message @param {Histogram | undefined} durations */
function end(message, durations) {
  /** @type {Open | undefined} */
  const open = message[OPEN];
  if (open === undefined) return;
  message[OPEN] = undefined;
  // It could not be made.
  message.duration ??= performance.now() - message.startTime;
  const { span, active, common, size } = open;
  if (span.isRecording()) {
    // That of a stream is known at its end.
    if (message.size !== size) span.setAttribute('zmq_omdp.request.size', message.size);
    span.setAttribute('zmq_omdp.reply.size', message.replySize);
    span.setAttribute('zmq_omdp.reply.partials', message.partials);
  }
  const attributes = message.error === undefined ? common : { ...common, ...outcomeOf(message) };
  // The span is in the context, so that exemplars can refer to it.
  durations?.record(message.duration / 1000, attributes, active);
  span.end();
}

exports.ZmqOmdpInstrumentation = ZmqOmdpInstrumentation;
