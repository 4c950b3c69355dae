'use strict';
// An application over several processes, by Node's `cluster`: the broker and the client in the primary, a worker in
// each of the others. One process dies with a request in its hands; the client hears of it at once, and a new process
// takes its place.
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
  // One that dies before it serves would only die again.
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
    // It may have done half of its work: whether to ask again is for the caller to decide.
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
