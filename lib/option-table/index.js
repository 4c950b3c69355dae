'use strict';
// The table of all options, from which these are derived: the checks (options.js), the flags, variables and help of the
// command line (cli/options.js), and the tables in docs/api.md (`npm run generate`); a test compares index.d.ts with it.
// It does not require the native side, so that `--help` works without a binary.

const { BROKER_OPTIONS } = require('./broker');
const { CALL_OPTIONS } = require('./calls');
const { MEMBERS } = require('./members');
const { DISCOVER, MAX_MS, PEERS, PROTOCOLS, RETRY_CAUSES, VERSIONS, rangeOf } = require('./option');
const { PEER_OPTIONS } = require('./peers');
const { SECURITY_OPTIONS } = require('./security');
const { WORKER_AND_CLIENT_OPTIONS } = require('./workers-and-clients');

/** @import { Option, Role } from './option' */

/**
 * In the order of help and documents.
 * @type {readonly Option[]}
 */
const OPTIONS = [
  ...PEER_OPTIONS,
  ...BROKER_OPTIONS,
  ...WORKER_AND_CLIENT_OPTIONS,
  ...MEMBERS,
  ...CALL_OPTIONS,
  ...SECURITY_OPTIONS,
];

/** @param {Role} role @returns {readonly Option[]} */
function optionsOf(role) {
  return OPTIONS.filter(({ of }) => of.includes(role));
}

exports.DISCOVER = DISCOVER;
exports.MAX_MS = MAX_MS;
exports.OPTIONS = OPTIONS;
exports.PEERS = PEERS;
exports.PROTOCOLS = PROTOCOLS;
exports.RETRY_CAUSES = RETRY_CAUSES;
exports.VERSIONS = VERSIONS;
exports.optionsOf = optionsOf;
exports.rangeOf = rangeOf;
