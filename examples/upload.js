'use strict';
// The data of a request may be a stream. Here a worker compresses a file and sends it back while it is still arriving,
// and another request sums up the numbers of a generator until the worker stops reading.
//
//   node examples/upload.js
const fs = require('node:fs');
const { pipeline } = require('node:stream/promises');
const zlib = require('node:zlib');
const { Broker, Worker, Client } = require('zmq-omdp');

async function main() {
  const broker = new Broker(process.env.OMDP_ENDPOINT ?? 'tcp://127.0.0.1:*');
  await broker.start();
  const [endpoint] = broker.endpoints;

  const zipper = new Worker(endpoint, 'gzip');
  // pipeline() passes errors and backpressure on, in both directions.
  zipper.on('request', (data, reply) => pipeline(data, zlib.createGzip(), reply));
  await zipper.start();

  const adder = new Worker(endpoint, 'sum');
  adder.on('request', async (numbers, reply) => {
    let sum = 0;
    // Leaving the loop destroys the stream, here and at the client.
    for await (const number of numbers) {
      sum += number;
      if (sum > 1000) break;
    }
    reply.end(sum);
  });
  await adder.start();

  const client = new Client(endpoint);
  await client.start();

  const unzip = zlib.createGunzip();
  const parts = [];
  unzip.on('data', (part) => parts.push(part));
  // A final without data is null, which a stream does not contain.
  await pipeline(client.requestStream('gzip', fs.createReadStream(__filename)), unzip);
  const same = Buffer.concat(parts).equals(fs.readFileSync(__filename));
  console.log(same ? 'the file came back as it was' : 'the file differs');

  async function* numbers() {
    try {
      for (let n = 1; ; n += 1) yield n;
    } finally {
      console.log('the generator was ended');
    }
  }
  console.log(`the sum is ${await client.call('sum', numbers())}`);

  await Promise.all([client.stop(), zipper.stop(), adder.stop()]);
  await broker.stop();
}

main();
