'use strict';
// A broker, a worker and a client: the smallest complete application. Here they share a process; usually each runs in a
// separate process, and they share only the broker's endpoint.
//
//   node examples/quickstart.js
const { Broker, Worker, Client } = require('zmq-omdp');

async function main() {
  // `*` takes a free port; broker.endpoints has the actual one.
  const broker = new Broker(process.env.OMDP_ENDPOINT ?? 'tcp://127.0.0.1:*');
  await broker.start();
  const [endpoint] = broker.endpoints;
  console.log(`broker: bound to ${endpoint}`);

  const worker = new Worker(endpoint, 'add');
  worker.on('request', ({ a, b }, reply) => {
    console.log(`worker: asked for ${a} + ${b}`);
    if (typeof a !== 'number' || typeof b !== 'number') throw new TypeError('a and b must be numbers');
    reply.end(a + b);
  });
  await worker.start();

  const client = new Client(endpoint);
  await client.start();
  console.log(`client: the sum is ${await client.call('add', { a: 40, b: 2 })}`);

  // An error that a handler throws reaches the client that made the request.
  try {
    await client.call('add', { a: 40, b: 'two' });
  } catch (error) {
    console.log(`client: refused with "${error.message}"`);
  }

  await client.stop();
  await worker.stop();
  await broker.stop();
}

main();
