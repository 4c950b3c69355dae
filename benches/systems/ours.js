'use strict';
// This package, with its defaults.
const path = require('node:path');
const { omdp } = require('./omdp.js');
const { fleet } = require('./fleet.js');

const load = () => require(path.join(__dirname, '..', '..'));

module.exports = {
  name: 'ours',
  title: 'zmq-omdp 1.0',
  can: ['text', 'paced', 'parts', 'bytes', 'listeners', 'loop', 'hold', 'fleet'],
  ipc: true,

  async prepare() {
    const { version } = require('../../package.json');
    return { version, conf: {} };
  },

  ...omdp(load),
  fleet: (conf, tally) => fleet(load(), conf, tally),
};
