'use strict';
// This package, whose client gives its Buffers away. They are made before the time is taken.
const path = require('node:path');
const { endpoint } = require('./omdp.js');
const ours = require('./ours.js');

const TRANSFER = { transfer: true };

module.exports = {
  ...ours,
  name: 'transfer',
  title: 'zmq-omdp 1.0, option transfer',
  can: ['bytes'],
  /** In others the making of the Buffers would count. */
  only: ['big-bytes'],

  async client(conf) {
    const { Client } = require(path.join(__dirname, '..', '..'));
    const client = new Client(endpoint(conf), conf.client);
    await client.start();
    return {
      fresh: (data) => Buffer.from(data),
      request: (data, done) => client.request(conf.service, data, undefined, done, TRANSFER),
      bytes: (reply) => reply,
    };
  },
};
