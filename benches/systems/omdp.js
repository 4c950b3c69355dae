'use strict';
// The roles of zmq-omdp, as its users write them. The API is that of 0.0.92, so the code also drives 0.0.92
// and, except for the start of a broker, PIGATO.

const { address } = require('../harness/address.js');

/** For requests that have to remain in the broker. */
const NO_TIMEOUT = { timeout: -1 };

const endpoint = ({ ports, transport }) => address(transport, ports[0]);

/**
 * @param {(conf: any) => any} load returns the package
 * @param {(Broker: any, endpoint: string, conf: any) => Promise<void>} [startBroker]
 */
function omdp(load, startBroker = start) {
  return {
    broker: (conf) => startBroker(load(conf).Broker, endpoint(conf), conf),

    async worker(conf, tally) {
      const { Worker } = load(conf);
      const worker = new Worker(endpoint(conf), conf.service, conf.worker);
      worker.on('request', HANDLERS[conf.kind](tally));
      worker.on('error', fail);
      await worker.start();
    },

    async client(conf) {
      const { Client } = load(conf);
      const client = new Client(endpoint(conf), conf.client);
      client.on('error', fail);
      await client.start();
      const { service } = conf;
      return {
        request: (data, done) => client.request(service, data, undefined, done),
        bytes: (reply) => (Buffer.isBuffer(reply) ? reply : Buffer.from(reply)),
        stream: (parts, onPart, done) => client.request(service, parts, (_error, part) => onPart(part), done),
        listen(data, done) {
          let last;
          const stream = client.requestStream(service, data);
          stream.on('data', (part) => {
            last = part;
          });
          stream.on('end', () => done(null, last));
          stream.on('error', done);
        },
        // A copy, because 0.0.92 modifies the options.
        holdRequest: (data) => client.request('nobody', data, undefined, answered, { ...NO_TIMEOUT }),
      };
    },
  };
}

function start(Broker, at, conf) {
  const broker = new Broker(at, conf.broker);
  return new Promise((resolve, reject) => broker.start((error) => (error ? reject(error) : resolve())));
}

const HANDLERS = {
  echo: (tally) => (data, reply) => {
    tally.handled += 1;
    reply.end(data);
  },
  parts: (tally) => (parts, reply) => {
    tally.handled += 1;
    let part = 0;
    const go = () => {
      while (part < parts) {
        const goOn = reply.write(part);
        part += 1;
        if (!goOn) return reply.once('drain', go);
      }
      reply.end('done');
    };
    go();
  },
};

function answered(error, reply) {
  fail(new Error(`a request without a worker was answered: ${error ?? reply}`));
}

function fail(error) {
  process.stderr.write(`${error?.stack ?? error}\n`);
  process.exit(1);
}

module.exports = { HANDLERS, endpoint, omdp };
