'use strict';
// The program of the tests' worker threads: peers as `workerData` asks for. The `host` thread says 'ready' when they
// have started; what else it says is in the parts below.
const { parentPort, workerData } = require('node:worker_threads');
const { Broker, Client, Worker } = require('../..');

const { endpoint, service, parts } = workerData;

const PARTS = {
  broker: () => new Broker(endpoint).start(),

  /** Answers with the data; 'silence' not at all. */
  worker() {
    const worker = new Worker(endpoint, service, { concurrency: -1 });
    worker.on('request', (data, reply) => data === 'silence' || reply.end(data));
    return worker.start();
  },

  /** Goes on making requests, of which some are never answered, and says 'busy' when it has had a reply. */
  async traffic() {
    const client = new Client(endpoint);
    await client.start();
    client.request(service, 'silence');
    client.requestStream(service, Buffer.alloc(1000));
    let first = true;
    const again = () => {
      if (first) parentPort.postMessage('busy');
      first = false;
      client.request(service, 'more', null, again);
    };
    again();
    client.request(service, 'first', null, again);
  },

  /** Ends itself in the middle of its traffic. */
  async exit() {
    await PARTS.traffic();
    setImmediate(() => process.exit(3));
  },

  /** Stops what it started, and is through. */
  async stop() {
    const client = new Client(endpoint);
    await client.start();
    await client.call(service, 'once');
    await client.stop();
  },

  /** Calls what it is told, and tells what it got. */
  async caller() {
    const client = new Client(endpoint);
    await client.start();
    parentPort.on('message', async (data) =>
      parentPort.postMessage({ reply: await client.call(service, data) }),
    );
  },
};

Promise.all(parts.map((part) => PARTS[part]())).then(() => parentPort.postMessage('ready'));
