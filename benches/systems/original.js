'use strict';
// zmq-omdp 0.0.92, from the given path.
const fs = require('node:fs');
const path = require('node:path');
const { Skip } = require('./skip.js');
const { omdp } = require('./omdp.js');
const { putInPlaceOfZmq } = require('./old-zmq.js');

function load({ original }) {
  putInPlaceOfZmq();
  return require(original);
}

module.exports = {
  name: 'original',
  title: 'zmq-omdp 0.0.92',
  can: ['text', 'paced', 'parts', 'bytes', 'listeners', 'loop', 'hold'],
  ipc: true,

  async prepare({ original }) {
    if (original === undefined) throw new Skip('say where a zmq-omdp 0.0.92 is, with --original PATH');
    const dir = path.resolve(original);
    if (!fs.existsSync(path.join(dir, 'lib', 'Broker.js')))
      throw new Skip('there is no zmq-omdp at the path given');
    const { version } = require('zeromq/package.json');
    return { version: `0.0.92 over zeromq ${version} (v5-compat)`, conf: { original: dir } };
  },

  ...omdp(load),
};
