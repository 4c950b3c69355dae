'use strict';
// Two brokers: a worker serves both, and a client distributes its requests over both. Then one broker is killed. New
// requests go to the other broker; the requests of the killed one are answered when it is started again.
//
//   node examples/several-brokers
const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { Client, Worker } = require('zmq-omdp');

/** Starts a broker in a separate process, at a given endpoint or a free one. */
async function launch(at = []) {
  const child = fork(path.join(__dirname, 'broker.js'), at);
  const [endpoint] = await once(child, 'message');
  return { child, endpoint };
}

/** Starts a peer, and waits until it is connected to a number of brokers. */
function connected(peer, count) {
  return new Promise((resolve) => {
    let lines = 0;
    peer.on('connect', () => {
      lines += 1;
      if (lines === count) resolve();
    });
    peer.start();
  });
}

async function main() {
  const brokers = await Promise.all([launch(), launch()]);
  const endpoints = brokers.map(({ endpoint }) => endpoint);

  const worker = new Worker(endpoints, 'square', { concurrency: 4 });
  worker.on('request', async (n, reply) => {
    // Stands for work that takes a while.
    await new Promise((resolve) => setTimeout(resolve, 50));
    reply.end(n * n);
  });
  const client = new Client(endpoints);
  await Promise.all([connected(worker, 2), connected(client, 2)]);
  console.log(`connected to ${endpoints.length} brokers`);

  const squares = await Promise.all([1, 2, 3, 4].map((n) => client.call('square', n)));
  console.log(`squares: ${squares}`);

  const running = [5, 6].map((n) => client.call('square', n));
  const notBegun = new Set([5, 6]);
  await new Promise((resolve) => {
    worker.on('request', (n) => {
      notBegun.delete(n);
      if (notBegun.size === 0) resolve();
    });
  });
  brokers[0].child.kill('SIGKILL');
  const [endpoint, reason] = await once(client, 'disconnect');
  console.log(`${endpoint === endpoints[0] ? 'the first broker' : 'a broker'} is gone: ${reason}`);
  console.log(`on with the other: ${await client.call('square', 7)}`);

  // Running requests are answered through the next broker at the same endpoint, if it starts in time.
  brokers[0] = await launch([endpoint]);
  for (const { status, value, reason: error } of await Promise.allSettled(running)) {
    // The request may have run: the application decides whether to repeat it.
    console.log(status === 'fulfilled' ? `answered: ${value}` : `lost with it: ${error.code}`);
  }

  await Promise.all([client.stop(), worker.stop()]);
  for (const { child } of brokers) {
    child.disconnect();
    await once(child, 'exit');
  }
  console.log('all stopped');
}

main();
