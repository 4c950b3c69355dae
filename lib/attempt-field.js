'use strict';

const { LeftShift } = require('./load');

/**
 * The last field of a request's record: the number of the attempt and, above it, whether the data are a stream, the
 * index of the worker's service, and 1 + the time left until the deadline.
 */
const STREAM = 2 ** LeftShift.Stream;
const SERVICE = 2 ** LeftShift.Service;
const LEFT = 2 ** LeftShift.Attempt;

/** The number of the attempt, from 1 on. @param {number} n */
const attemptOf = (n) => (n < STREAM ? n : n % STREAM);

/** Whether the data are a stream. @param {number} n */
const isStream = (n) => n >= STREAM && n % SERVICE >= STREAM;

/** The index of the service. @param {number} n */
const serviceOf = (n) => (n < SERVICE ? 0 : Math.floor((n % LEFT) / SERVICE));

/** The ms left until the deadline; undefined without a deadline. @param {number} n */
const leftOf = (n) => (n < LEFT ? undefined : Math.floor(n / LEFT) - 1);

/** The field after the request has waited for some ms. @param {number} n @param {number} waited */
function afterWait(n, waited) {
  const left = leftOf(n);
  return left === undefined ? n : n - Math.min(left, Math.floor(waited)) * LEFT;
}

exports.afterWait = afterWait;
exports.attemptOf = attemptOf;
exports.isStream = isStream;
exports.leftOf = leftOf;
exports.serviceOf = serviceOf;
