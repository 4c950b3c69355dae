'use strict';

const { hasCapability, libraryVersion } = require('./load');

/** What `zmq_has()` can be asked. */
const NAMES = ['ipc', 'pgm', 'tipc', 'norm', 'curve', 'gssapi', 'draft'];

/** The version of the libzmq that is built in. */
const version = libraryVersion();

/** What it was built with. @type {Readonly<Record<string, boolean>>} */
const capability = Object.freeze(Object.fromEntries(NAMES.map((name) => [name, hasCapability(name)])));

exports.capability = capability;
exports.version = version;
