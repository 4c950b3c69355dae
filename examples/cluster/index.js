'use strict';
// An application over several processes, by Node's `cluster`: the broker and the client in the primary, a worker in
// each of the others. One of them dies in the middle of a request; the client hears of it and asks again.
//
//   node examples/cluster
const cluster = require('node:cluster');
const { once } = require('node:events');
const path = require('node:path');
const { Broker, Client } = require('zmq-omdp');

const PROCESSES = 3;

/** A request that ran on a worker which died may have done half of its work: that it may run twice is our choice. */
async function callAgain(client, service, data) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await client.call(service, data);
    } catch (error) {
      if (error.code !== 'W_LOST' || attempt === 3) throw error;
      console.log(`primary: the worker with ${data} died (${error.code}); asking again`);
    }
  }
}

async function main() {
  const broker = new Broker(process.env.OMDP_ENDPOINT ?? 'tcp://127.0.0.1:*');
  await broker.start();
  const [endpoint] = broker.endpoints;

  cluster.setupPrimary({ exec: path.join(__dirname, 'service.js') });
  for (let i = 0; i < PROCESSES; i += 1) cluster.fork({ OMDP_ENDPOINT: endpoint });
  // What a process that died took with it is replaced.
  const replace = (worker) => {
    console.log(`primary: process ${worker.id} is gone; another takes its place`);
    cluster.fork({ OMDP_ENDPOINT: endpoint });
  };
  cluster.on('exit', replace);
  for (let ready = 0; ready < PROCESSES; ready += 1) await once(cluster, 'message');
  console.log(`primary: ${PROCESSES} processes serve`);

  const client = new Client(endpoint);
  await client.start();
  const numbers = Array.from({ length: 12 }, (_, index) => 10 + index);
  const answers = await Promise.all(numbers.map((n) => callAgain(client, 'fibonacci', n)));
  const served = new Set(answers.map((answer) => answer.by));
  console.log(`primary: fibonacci(21) is ${answers[11].value}; ${served.size} processes shared the work`);

  // The service ends its process when it gets this number for the first time.
  const { value } = await callAgain(client, 'fibonacci', 13.5);
  console.log(`primary: and in the end the answer is ${value}`);

  cluster.off('exit', replace);
  await client.stop();
  cluster.disconnect();
  while (Object.keys(cluster.workers).length > 0) await once(cluster, 'exit');
  await broker.stop();
  console.log('primary: all processes ended');
}

main();
