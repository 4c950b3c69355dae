'use strict';
// A reply in several parts, and the ways to receive it: callbacks with one or two parameters, a stream, a loop, or only
// the final.
//
//   node examples/partials.js
const { once } = require('node:events');
const { Broker, Worker, Client } = require('zmq-omdp');

async function main() {
  const broker = new Broker(process.env.OMDP_ENDPOINT ?? 'tcp://127.0.0.1:*');
  await broker.start();
  const [endpoint] = broker.endpoints;

  const worker = new Worker(endpoint, 'countdown');
  worker.on('request', (from, reply) => {
    for (let n = from; n > 0; n -= 1) reply.write(n);
    reply.end('liftoff');
  });
  await worker.start();

  const client = new Client(endpoint);
  await client.start();

  // One parameter: the data alone.
  await new Promise((done) => {
    client.request(
      'countdown',
      3,
      (data) => console.log(`one parameter: ${data}`),
      (error, data) => {
        console.log(`final: ${error} ${data}`);
        done();
      },
    );
  });

  // Two parameters: null, then the data.
  await new Promise((done) => {
    client.request(
      'countdown',
      3,
      (error, data) => console.log(`two parameters: ${error} ${data}`),
      (error, data) => {
        console.log(`final: ${error} ${data}`);
        done();
      },
    );
  });

  // The last part of a stream is the final's data.
  const stream = client.requestStream('countdown', 2);
  stream.on('data', (part) => console.log(`stream: ${part}`));
  await once(stream, 'end');

  // The same in a loop. Leaving the loop early cancels the request.
  for await (const part of client.requestStream('countdown', 1000)) {
    console.log(`loop: ${part}`);
    if (part === 999) break;
  }

  // call() ignores the partials.
  console.log(`call: ${await client.call('countdown', 3)}`);

  await client.stop();
  await worker.stop();
  await broker.stop();
}

main();
