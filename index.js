'use strict';

const { Broker } = require('./lib/broker');
const { Client } = require('./lib/client');
const { curveKeyPair } = require('./lib/keys');
const { OmdpError, RemoteError } = require('./lib/errors');
const { capability, version } = require('./lib/library');
const { hashPassword } = require('./lib/passwords');
const { Worker } = require('./lib/worker');

module.exports = {
  Broker,
  Worker,
  Client,
  OmdpError,
  RemoteError,
  curveKeyPair,
  hashPassword,
  version,
  capability,
};
