'use strict';
// One worker with several services, a client that lists services and watches workers register and leave, and a worker
// that pauses.
//
//   node examples/services.js
const { Broker, Worker, Client } = require('zmq-omdp');

async function main() {
  const broker = new Broker(process.env.OMDP_ENDPOINT ?? 'tcp://127.0.0.1:*');
  await broker.start();
  const [endpoint] = broker.endpoints;

  // Handlers by the names of their services; concurrency is the limit for both together.
  const services = {
    add: ({ a, b }, reply) => reply.end(a + b),
    'math.mul': async ({ a, b }, reply) => reply.end(a * b),
  };
  const calc = new Worker(endpoint, services, {
    name: 'calc',
    concurrency: 4,
    description: 'Adds and multiplies',
    metadata: { region: 'eu' },
  });
  const client = new Client(endpoint);
  await Promise.all([calc.start(), client.start()]);
  console.log(`2 + 3 is ${await client.call('add', { a: 2, b: 3 })}`);
  console.log(`2 * 3 is ${await client.call('math.mul', { a: 2, b: 3 })}`);

  const { instances, requests } = await client.service('add');
  const [{ name, description, metadata }] = instances;
  console.log(`add: ${requests} request, served by ${name} (${description}; ${metadata.region})`);

  // A paused worker stays registered, and gets no requests.
  const spare = new Worker(endpoint, 'add', { name: 'spare' });
  spare.on('request', (_data, reply) => reply.end('from the spare worker'));
  spare.pause();

  for await (const change of client.watchServices({ interval: 50 })) {
    console.log(`${change.type}: ${change.worker} of ${change.service}`);
    if (change.worker === 'calc/math.mul') await spare.start();
    if (change.worker === 'spare') break;
  }
  spare.resume();
  await calc.stop();
  console.log(`2 + 3 is ${await client.call('add', { a: 2, b: 3 })}`);

  await Promise.all([spare.stop(), client.stop()]);
  await broker.stop();
}

main();
