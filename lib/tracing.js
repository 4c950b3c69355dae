'use strict';

const { channel, tracingChannel } = require('node:diagnostics_channel');
const { LargeJson, LongString } = require('./values');

/** @import { TracingChannel } from 'node:diagnostics_channel' */
/** @import { Blob } from './inbox' */
/** @import { Body } from './values' */

/**
 * The message of a request, or of a handling, for subscribers: one object from `start` to `asyncEnd`.
 * Subscribers may keep what is theirs in it under symbols.
 * @typedef {Record<string | symbol, any>} Message
 */

const requests = tracingChannel('zmq-omdp.request');
/** Each part of a reply, at the client, with the message of its request. */
const partials = channel('zmq-omdp.request:partial');
/** Each further attempt by a retry policy, at the client. */
const retries = channel('zmq-omdp.request:retry');
const handlings = tracingChannel('zmq-omdp.handle');

/**
 * TracingChannel itself has this from Node.js 22 on.
 * @param {TracingChannel<any>} channel
 */
function isTraced({ start, end, asyncStart, asyncEnd, error }) {
  return (
    start.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    error.hasSubscribers
  );
}

/** Whether the channels of requests have subscribers. */
function isRequestTraced() {
  return isTraced(requests) || partials.hasSubscribers || retries.hasSubscribers;
}

/**
 * Whether the channel may have stores to run its work in. Without any, `runStores` only publishes the message and
 * calls the function, which costs less without its closures. Channels of Node.js have their stores in `_stores`;
 * `runStores` itself is right for all channels.
 * @param {any} channel
 */
function hasStores(channel) {
  return channel._stores?.size !== 0;
}

// The arguments below have names of their own, because an array of them for each call costs as much as the rest.

/**
 * Calls `work` with the message and the arguments as the synchronous part. Subscribers of `start` may set `message.run`,
 * a function that calls its argument; it then calls `work`.
 * @template T
 * @param {TracingChannel<any>} channel
 * @param {Message} message
 * @param {(message: Message, ...args: any[]) => T} work
 * @param {unknown} that its `this`
 * @param {unknown} a
 * @param {unknown} b
 * @param {unknown} c
 * @param {unknown} d
 * @returns {T}
 */
function begin(channel, message, work, that, a, b, c, d) {
  const { start } = channel;
  if (hasStores(start)) {
    return start.runStores(message, run, undefined, channel, message, work, that, a, b, c, d);
  }
  start.publish(message);
  return run(channel, message, work, that, a, b, c, d);
}

/** @type {typeof begin} */
function run({ end, error }, message, work, that, a, b, c, d) {
  try {
    if (typeof message.run === 'function') return message.run(() => work.call(that, message, a, b, c, d));
    return work.call(that, message, a, b, c, d);
  } catch (thrown) {
    message.error = thrown;
    error.publish(message);
    throw thrown;
  } finally {
    end.publish(message);
  }
}

/**
 * Publishes the end of what `begin` began; `tell` passes the result on.
 * @param {TracingChannel<any>} channel
 * @param {Message} message with an `error` if it failed
 * @param {(...args: any[]) => void} [tell]
 * @param {unknown} [that] its `this`
 * @param {unknown} [a]
 * @param {unknown} [b]
 * @param {unknown} [c]
 */
function finish(channel, message, tell, that, a, b, c) {
  const { asyncStart, error } = channel;
  message.duration = performance.now() - message.startTime;
  if ('error' in message) error.publish(message);
  if (hasStores(asyncStart)) {
    asyncStart.runStores(message, conclude, undefined, channel, message, tell, that, a, b, c);
    return;
  }
  asyncStart.publish(message);
  conclude(channel, message, tell, that, a, b, c);
}

/** @type {typeof finish} */
function conclude({ asyncEnd }, message, tell, that, a, b, c) {
  try {
    tell?.call(that, a, b, c);
  } finally {
    asyncEnd.publish(message);
  }
}

/** The longest text whose characters are looked at one by one, which costs less than a call of native code. */
const SHORT = 64;

/**
 * The size in bytes of a part of a text.
 * @param {string} text
 * @param {number} from
 * @param {number} length
 * @returns {number}
 */
function sizeOfText(text, from, length) {
  const end = from + length;
  if (length <= SHORT) {
    let at = from;
    while (at < end && text.charCodeAt(at) < 0x80) at += 1;
    if (at === end) return length;
  }
  return Buffer.byteLength(text.slice(from, end));
}

/** Its size in bytes; approximate for the JSON of a string. @param {Body} body @returns {number} */
function sizeOf(body) {
  if (typeof body === 'string') return sizeOfText(body, 0, body.length);
  return body instanceof LongString ? Buffer.byteLength(body.text) + 2 : body.byteLength;
}

/** The size in bytes of received data; of a text without its quotes and escapes. @param {Blob} blob @returns {number} */
function sizeOfBlob(blob) {
  if (typeof blob === 'string') return Buffer.byteLength(blob) + 2;
  if (blob instanceof LargeJson) return Buffer.byteLength(blob.text);
  return blob === null ? 0 : blob.length;
}

/**
 * The size in bytes of a record's data.
 * @param {Blob | undefined} blob
 * @param {string} text
 * @param {number} at
 * @param {number} length
 * @returns {number}
 */
function sizeOfData(blob, text, at, length) {
  return blob === undefined ? sizeOfText(text, at, length) : sizeOfBlob(blob);
}

exports.begin = begin;
exports.finish = finish;
exports.handlings = handlings;
exports.isRequestTraced = isRequestTraced;
exports.isTraced = isTraced;
exports.partials = partials;
exports.requests = requests;
exports.retries = retries;
exports.sizeOf = sizeOf;
exports.sizeOfData = sizeOfData;
