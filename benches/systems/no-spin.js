'use strict';
// This package with a broker that does not spin.
const { Skip } = require('./skip.js');
const ours = require('./ours.js');

const SPIN = { spin: 0 };

module.exports = {
  ...ours,
  name: 'no-spin',
  title: 'zmq-omdp 1.0, spin 0',
  can: ['text', 'paced'],
  /** The scenarios in which it makes a difference, or must not. */
  only: ['window', 'seq', 'seq-2', 'seq-4', 'trickle-1', 'trickle-10', 'trickle-100', 'trickle-1000'],

  async prepare() {
    const { Broker } = require('../..');
    try {
      new Broker('tcp://127.0.0.1:*', SPIN);
    } catch (error) {
      throw new Skip(`the broker has no option "spin" (${error.message})`);
    }
    return { ...(await ours.prepare()), conf: { broker: SPIN } };
  },
};
