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
const { handlings, partials, requests } = require('./tracing');
const { version } = require('../package.json');

/** @import { Attributes, Histogram, Span } from '@opentelemetry/api' */
/** @import { InstrumentationConfig } from '@opentelemetry/instrumentation' */
/** @import { Message } from './tracing' */

const SYSTEM = 'zmq-omdp';

/** In seconds, as the conventions recommend. */
const BOUNDARIES = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** The open spans. @type {WeakMap<Message, Span>} */
const spans = new WeakMap();

/** @typedef {{ client: Histogram, server: Histogram }} Durations */

class ZmqOmdpInstrumentation extends InstrumentationBase {
  // No private fields: the parent's constructor calls methods of this class before they would exist.

  /** @param {InstrumentationConfig} [config] */
  constructor(config = {}) {
    super(SYSTEM, version, config);
  }

  /** No module is patched. @override */
  init() {
    return [];
  }

  /** @override */
  enable() {
    super.enable();
    if (this._subscribers !== undefined) return;
    /** @type {any} */
    const request = {
      start: (/** @type {Message} */ message) => this._requestStarts(message),
      asyncEnd: (/** @type {Message} */ message) => end(message, this._durations?.client),
      error: (/** @type {Message} */ message) => failed(message),
    };
    /** @type {any} */
    const handling = {
      start: (/** @type {Message} */ message) => this._handlingStarts(message),
      asyncEnd: (/** @type {Message} */ message) => end(message, this._durations?.server),
      error: (/** @type {Message} */ message) => failed(message),
    };
    const partial = (/** @type {any} */ message) => partialCame(message);
    this._subscribers = { request, handling, partial };
    requests.subscribe(request);
    handlings.subscribe(handling);
    partials.subscribe(partial);
  }

  /** @override */
  disable() {
    super.disable();
    if (this._subscribers === undefined) return;
    requests.unsubscribe(this._subscribers.request);
    handlings.unsubscribe(this._subscribers.handling);
    partials.unsubscribe(this._subscribers.partial);
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

  /** @param {Message} message */
  _requestStarts(message) {
    const attributes = { ...attributesOf(message), 'zmq_omdp.client.name': message.client };
    const span = this.tracer.startSpan(message.service, { kind: SpanKind.CLIENT, attributes });
    spans.set(message, span);
    // MDP requests have no headers.
    if (message.headers !== undefined) {
      propagation.inject(tracing.setSpan(context.active(), span), message.headers);
    }
  }

  /** @param {Message} message */
  _handlingStarts(message) {
    const parent = propagation.extract(context.active() ?? ROOT_CONTEXT, message.headers ?? {});
    const attributes = { ...attributesOf(message), 'zmq_omdp.worker.name': message.worker };
    const span = this.tracer.startSpan(message.service, { kind: SpanKind.SERVER, attributes }, parent);
    if (message.attempt > 1) span.addEvent('retry', { 'zmq_omdp.attempt': message.attempt });
    spans.set(message, span);
    const active = tracing.setSpan(parent, span);
    message.run = (/** @type {() => void} */ handle) => context.with(active, handle);
  }
}

/** @param {Message} message @returns {Attributes} */
function attributesOf({ service, broker }) {
  /** @type {Attributes} */
  const attributes = { 'rpc.system.name': SYSTEM, 'rpc.method': service };
  const address = /^tcp:\/\/(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(broker ?? '');
  if (address !== null) {
    attributes['server.address'] = address[1] ?? address[2];
    attributes['server.port'] = Number(address[3]);
  }
  return attributes;
}

/** @param {Message} message @returns {Attributes} */
function outcomeOf({ error, code }) {
  if (error === undefined) return {};
  const type = code ?? error.name ?? '_OTHER';
  return code === undefined ? { 'error.type': type } : { 'error.type': type, 'rpc.status_code': code };
}

/** @param {Message} message */
function failed(message) {
  const span = spans.get(message);
  span?.setAttributes(outcomeOf(message));
  span?.setStatus({ code: SpanStatusCode.ERROR, message: message.error.message });
}

/** @param {Message} message */
function partialCame(message) {
  const attributes = {
    'zmq_omdp.partial.number': message.partials,
    'zmq_omdp.reply.size': message.replySize,
  };
  spans.get(message)?.addEvent('partial', attributes);
}

/** @param {Message} message @param {Histogram | undefined} durations */
function end(message, durations) {
  const span = spans.get(message);
  if (span === undefined) return;
  spans.delete(message);
  span.setAttributes({
    'zmq_omdp.request.size': message.size,
    'zmq_omdp.reply.size': message.replySize,
    'zmq_omdp.reply.partials': message.partials,
  });
  // The span is in the context, so that exemplars can refer to it.
  const active = tracing.setSpan(context.active(), span);
  durations?.record(message.duration / 1000, { ...attributesOf(message), ...outcomeOf(message) }, active);
  span.end();
}

exports.ZmqOmdpInstrumentation = ZmqOmdpInstrumentation;
