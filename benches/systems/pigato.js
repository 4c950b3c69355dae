'use strict';
// PIGATO, the successor of zmq-omdp 0.0.92, with its defaults.
const { install } = require('../harness/install.js');
const { omdp } = require('./omdp.js');
const { putInPlaceOfZmq } = require('./old-zmq.js');

function load({ pigato }) {
  putInPlaceOfZmq();
  return require(pigato);
}

/**
 * start() takes no callback, and requires a second port, which is equal for all brokers of a machine by
 * default.
 */
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
  // Without `hold`: a client whose broker is busy for some seconds closes its socket and loses the requests.
  can: ['text', 'paced', 'parts', 'bytes', 'listeners', 'loop'],

  async prepare() {
    // 0.0.47 is the last version; some registries have only the previous one, whose request path is
    // identical.
    const { dir, version } = install('pigato', ['0.0.47', '0.0.46']);
    const zeromq = require('zeromq/package.json').version;
    return { version: `${version} over zeromq ${zeromq} (v5-compat)`, conf: { pigato: dir } };
  },

  ...roles,

  /** PIGATO's value for no error may be 0. */
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
