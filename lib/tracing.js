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

/**
 * Runs the synchronous part. Subscribers of `start` may set `message.run`, a function that calls its
 * argument; it then runs `work`.
 * @template T
 * @param {TracingChannel<any>} channel
 * @param {Message} message
 * @param {() => T} work
 * @returns {T}
 */
function begin({ start, end, error }, message, work) {
  return start.runStores(message, () => {
    try {
      return typeof message.run === 'function' ? message.run(work) : work();
    } catch (thrown) {
      message.error = thrown;
      error.publish(message);
      throw thrown;
    } finally {
      end.publish(message);
    }
  });
}

/**
 * Publishes the end of what `begin` began; `tell` passes the result on.
 * @param {TracingChannel<any>} channel
 * @param {Message} message with an `error` if it failed
 * @param {() => void} [tell]
 */
function finish({ asyncStart, asyncEnd, error }, message, tell = () => {}) {
  message.duration = performance.now() - message.startTime;
  if ('error' in message) error.publish(message);
  asyncStart.runStores(message, () => {
    try {
      tell();
    } finally {
      asyncEnd.publish(message);
    }
  });
}

/** Its size in bytes; approximate for the JSON of a string. @param {Body} body @returns {number} */
function sizeOf(body) {
  if (typeof body === 'string') return Buffer.byteLength(body);
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
  return blob === undefined ? Buffer.byteLength(text.slice(at, at + length)) : sizeOfBlob(blob);
}

exports.begin = begin;
exports.finish = finish;
exports.handlings = handlings;
exports.isTraced = isTraced;
exports.partials = partials;
exports.requests = requests;
exports.sizeOf = sizeOf;
exports.sizeOfData = sizeOfData;
