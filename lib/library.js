'use strict';

const { hasCapability, libraryVersion } = require('./load');

/** The capabilities that `zmq_has()` knows. */
const NAMES = ['ipc', 'pgm', 'tipc', 'norm', 'curve', 'gssapi', 'draft'];

/** The version of the built-in libzmq. */
const version = libraryVersion();

/** The capabilities of the built-in libzmq. @type {Readonly<Record<string, boolean>>} */
const capability = Object.freeze(Object.fromEntries(NAMES.map((name) => [name, hasCapability(name)])));

exports.capability = capability;
exports.version = version;
