'use strict';
// An application in several processes by Node's `cluster`: broker and client run in the primary, and a worker in each of
// the other processes. One process dies while it handles a request: the request ends with an error at once, and a new
// process replaces the dead one.
//
//   node examples/cluster
const cluster = require('node:cluster');
const { once } = require('node:events');
const path = require('node:path');
const { Broker, Client } = require('zmq-omdp');

const PROCESSES = 3;

async function main() {
  const broker = new Broker(process.env.OMDP_ENDPOINT ?? 'tcp://127.0.0.1:*');
  await broker.start();
  const [endpoint] = broker.endpoints;

  cluster.setupPrimary({ exec: path.join(__dirname, 'service.js') });
  const fork = () => cluster.fork({ OMDP_ENDPOINT: endpoint });
  // A process that dies before it serves would die again.
  const giveUp = () => process.exit(1);
  cluster.on('exit', giveUp);
  for (let i = 0; i < PROCESSES; i += 1) fork();
  for (let ready = 0; ready < PROCESSES; ready += 1) await once(cluster, 'message');
  cluster.off('exit', giveUp);
  console.log(`primary: ${PROCESSES} processes serve`);

  const client = new Client(endpoint);
  await client.start();
  const numbers = Array.from({ length: 12 }, (_, index) => 10 + index);
  const answers = await Promise.all(numbers.map((n) => client.call('fibonacci', n)));
  const servedBy = new Set(answers.map(({ by }) => by));
  console.log(`primary: fibonacci(21) is ${answers[11].value}; ${servedBy.size} of them shared 12 requests`);

  const replaced = once(cluster, 'exit').then(([worker]) => {
    console.log(`primary: process ${worker.id} died; another takes its place`);
    fork();
    return once(cluster, 'message');
  });
  try {
    await client.call('fibonacci', 'crash');
  } catch (error) {
    // The work may be half done: the caller has to decide whether to repeat the request.
    console.log(`primary: the request is lost: ${error.code}`);
  }
  await replaced;
  const { value, by } = await client.call('fibonacci', 30);
  console.log(`primary: fibonacci(30) is ${value}, says process ${by}`);

  await client.stop();
  cluster.disconnect();
  while (Object.keys(cluster.workers).length > 0) await once(cluster, 'exit');
  await broker.stop();
  console.log('primary: all processes ended');
}

main();
