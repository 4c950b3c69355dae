'use strict';
// The choice of a worker for a request: versions, patterns, keys, priorities, rejections, and retries.
//
//   node examples/routing.js
const { once } = require('node:events');
const { Broker, Worker, Client } = require('zmq-omdp');

async function main() {
  const broker = new Broker(process.env.OMDP_ENDPOINT ?? 'tcp://127.0.0.1:*', {
    services: { carts: { balance: 'least-loaded' } },
  });
  await broker.start();
  const [endpoint] = broker.endpoints;
  const peers = [];

  async function serve(service, handler, conf) {
    const worker = new Worker(endpoint, service, conf);
    worker.on('request', handler);
    peers.push(worker);
    const ready = once(broker, 'workerReady');
    await worker.start();
    await ready;
  }

  const client = new Client(endpoint);
  await client.start();

  // Versions: a range goes to the highest version that satisfies it.
  for (const version of ['1.4.0', '2.0.0']) {
    await serve('orders', (_data, reply) => reply.end(version), { version });
  }
  console.log(`orders@^1: ${await client.call('orders@^1')}`);
  console.log(`orders: ${await client.call('orders')}`);

  // A pattern serves all names with this beginning.
  await serve('billing.*', (_data, reply, { service }) => reply.end(service), { pattern: true });
  console.log(`${await client.call('billing.refund')}: served by billing.*`);

  // Requests of one key go to one worker.
  for (const name of ['cart-1', 'cart-2', 'cart-3']) {
    await serve('carts', (_data, reply) => reply.end(name), { name });
  }
  const carts = await Promise.all(
    [1, 2, 3, 4, 5].map((item) => client.call('carts', item, { key: 'customer-17' })),
  );
  console.log(`five requests of one cart: ${new Set(carts).size === 1 ? 'one worker' : carts}`);

  // Priorities: among waiting requests the most urgent goes first.
  const order = [];
  const waiting = [
    client.call('mail', 'later'),
    client.call('mail', 'now', { priority: 9 }),
    // It follows both on the same connection: when it is answered, the broker has received them.
    client.call('mmi.service', 'mail'),
  ];
  await waiting[2];
  await serve('mail', (data, reply) => {
    order.push(data);
    reply.end();
  });
  await Promise.all(waiting);
  console.log(`urgent first: ${order.join(' ')}`);

  // A worker can reject a request, which then goes to another one.
  await serve('render', (_data, reply) => reply.reject('no GPU here'));
  await serve('render', (_data, reply) => reply.end('done by the other'));
  console.log(`rejected by the one, ${await client.call('render')}`);

  // With a retry policy the client repeats a failed request.
  await serve('flaky', (_data, reply, { attempt }) => {
    if (attempt < 3) return reply.error('not yet');
    reply.end('made it');
  });
  const retry = { attempts: 5, on: ['error'], delay: 10 };
  console.log(`third attempt: ${await client.call('flaky', null, { retry })}`);

  await client.stop();
  await Promise.all(peers.map((worker) => worker.stop()));
  await broker.stop();
}

main();
