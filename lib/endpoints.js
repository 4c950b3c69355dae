'use strict';
// The checks of endpoints.

const { outOfRange, wrongType } = require('./checks');
const { given } = require('./describe');
const { isMalformedSrv } = require('./discover');

/**
 * Checks endpoints. libzmq checks their syntax when it binds or connects.
 * @param {unknown} endpoint
 * @returns {string[]}
 */
function checkEndpoints(endpoint) {
  const list = Array.isArray(endpoint) ? Array.from(endpoint) : [endpoint];
  if (list.length === 0) throw new RangeError('endpoint must have at least one element, got an empty array');
  list.forEach((each, index) => {
    const what = Array.isArray(endpoint) ? `endpoint[${index}]` : 'endpoint';
    if (typeof each !== 'string' || each === '') throw wrongType(each, what, 'a non-empty string');
    if (each.includes('\0')) throw new RangeError(`${what} must not contain NUL, got ${given(each)}`);
  });
  return list;
}

const TRANSPORTS = [/^tcp:\/\/[^/]+:[0-9]+$/, /^ipc:\/\/./, /^inproc:\/\/./, /^tcp\+srv:\/\//];

/**
 * Checks the syntax where no caller waits for an error of libzmq, because the peer is running.
 * @param {string} endpoint
 * @param {string} what
 */
function checkTransport(endpoint, what) {
  const [, port] = /^tcp:.*:([0-9]+)$/.exec(endpoint) ?? [];
  const isPort = port === undefined || (Number(port) > 0 && Number(port) < 65536);
  if (isPort && TRANSPORTS.some((transport) => transport.test(endpoint))) return;
  throw outOfRange(endpoint, what, 'tcp://host:port, tcp+srv://name, ipc://path or inproc://name');
}

/**
 * Checks the endpoints of brokers. A repeated endpoint would open two connections to one broker.
 * @param {unknown} endpoint
 * @returns {string[]}
 */
function checkBrokers(endpoint) {
  const list = checkEndpoints(endpoint);
  list.forEach((each, index) => {
    if (isMalformedSrv(each)) {
      const what = Array.isArray(endpoint) ? `endpoint[${index}]` : 'endpoint';
      throw outOfRange(each, what, 'tcp+srv:// and the name of SRV records, which have the port');
    }
    if (list.indexOf(each) === index) return;
    throw new RangeError(`endpoint[${index}] must differ from the others, got ${given(each)}`);
  });
  return list;
}

/**
 * The endpoint of the broker, if there is exactly one.
 * @param {readonly string[]} endpoints
 * @returns {string | undefined}
 */
function onlyEndpoint(endpoints) {
  return endpoints.length === 1 ? endpoints[0] : undefined;
}

exports.checkBrokers = checkBrokers;
exports.checkEndpoints = checkEndpoints;
exports.checkTransport = checkTransport;
exports.onlyEndpoint = onlyEndpoint;
