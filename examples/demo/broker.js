'use strict';
// The broker of the demo: accepts requests and gives each to a worker of its service.
const { Broker } = require('zmq-omdp');
const { say, done } = require('./say');

const SERVICES = 4;

async function main() {
  const broker = new Broker(process.env.OMDP_ENDPOINT ?? 'tcp://127.0.0.1:*');
  let services = 0;
  broker.on('workerReady', ({ service }) => {
    say(`a worker for "${service}" came`);
    services += 1;
    if (services === SERVICES) done();
  });
  broker.on('workerGone', ({ service, reason }) => {
    say(`the worker for "${service}" is gone: ${reason}`);
    services -= 1;
    if (services === 0) done();
  });
  await broker.start();
  const [endpoint] = broker.endpoints;
  say(`process ${process.pid} listens at ${endpoint}`);
  done(endpoint);

  process.once('disconnect', () => broker.stop());
}

main();
