'use strict';
// Eight services of one process: of one worker, on one connection, and of eight workers.
const path = require('node:path');
const { HANDLERS, endpoint, omdp } = require('./omdp.js');
const ours = require('./ours.js');

const load = () => require(path.join(__dirname, '..', '..'));

const COUNT = 8;

/** @param {string} base */
const namesOf = (base) => Array.from({ length: COUNT }, (_, n) => `${base}${n}`);

async function oneWorker(conf, tally) {
  const handlers = Object.fromEntries(
    namesOf(conf.service).map((name) => [name, HANDLERS[conf.kind](tally)]),
  );
  await new (load().Worker)(endpoint(conf), handlers, conf.worker).start();
}

async function eightWorkers(conf, tally) {
  const start = (name) => {
    const worker = new (load().Worker)(endpoint(conf), name, conf.worker);
    worker.on('request', HANDLERS[conf.kind](tally));
    return worker.start();
  };
  await Promise.all(namesOf(conf.service).map(start));
}

/** Makes requests to the services in turn. */
async function client(conf) {
  const { Client } = load();
  const client = new Client(endpoint(conf), conf.client);
  await client.start();
  const services = namesOf(conf.service);
  let last = 0;
  return {
    request(data, done) {
      last = (last + 1) % COUNT;
      client.request(/** @type {string} */ (services[last]), data, undefined, done);
    },
  };
}

const { broker } = omdp(load);
const common = { ...ours, can: ['text'], asked: true, fleet: undefined, broker, client };

module.exports = [
  { ...common, name: 'services', title: 'zmq-omdp 1.0, a worker of eight services', worker: oneWorker },
  { ...common, name: 'workers', title: 'zmq-omdp 1.0, eight workers', worker: eightWorkers },
];
