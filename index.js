'use strict';

const { Broker } = require('./lib/broker');
const { Client } = require('./lib/client');
const { OmdpError, RemoteError } = require('./lib/errors');
const { capability, version } = require('./lib/library');
const { Worker } = require('./lib/worker');

module.exports = { Broker, Worker, Client, OmdpError, RemoteError, version, capability };
