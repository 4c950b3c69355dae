'use strict';
// The API of PIGATO, implemented by the classes of this package.

const { Broker } = require('./broker');
const { Client } = require('./client');
const { Directory } = require('./directory');
const { Worker } = require('./worker');

module.exports = { Broker, Worker, Client, services: { Directory } };
