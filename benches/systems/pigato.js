'use strict';
// PIGATO, the successor of zmq-omdp 0.0.92, with its defaults.
const { install } = require('../harness/install.js');
const { omdp } = require('./omdp.js');
const { putInPlaceOfZmq } = require('./old-zmq.js');

function load({ pigato }) {
  putInPlaceOfZmq();
  return require(pigato);
}

/** Its start() takes no callback, and it wants a second port, which is the same for all brokers of a machine. */
function startBroker(Broker, endpoint, { ports }) {
  return new Promise((resolve) => {
    const broker = new Broker(endpoint, { intch: `tcp://127.0.0.1:${ports[1]}`, onStart: resolve });
    broker.start();
  });
}

const roles = omdp(load, startBroker);

module.exports = {
  name: 'pigato',
  title: 'PIGATO',
  // Requests can't be held in masses: a client whose broker is busy for some seconds closes its socket under them.
  can: ['text', 'parts', 'bytes', 'listeners', 'loop'],

  async prepare() {
    // 0.0.47 is the last; some registries stop at the one before, which has the same code on the path of a request.
    const { dir, version } = install('pigato', ['0.0.47', '0.0.46']);
    const zeromq = require('zeromq/package.json').version;
    return { version: `${version} over zeromq ${zeromq} (v5-compat)`, conf: { pigato: dir } };
  },

  ...roles,

  /** Of its own values for no error, 0 is one. */
  async client(conf) {
    const client = await roles.client(conf);
    const nullFor = (done) => (error, reply) => done(error === 0 ? null : error, reply);
    return {
      ...client,
      request: (data, done) => client.request(data, nullFor(done)),
      stream: (parts, onPart, done) => client.stream(parts, onPart, nullFor(done)),
    };
  },
};
