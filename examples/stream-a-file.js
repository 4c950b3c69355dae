'use strict';
// A reply is a Writable and a request is a Readable, so two pipelines transfer a file. Its chunks are Buffers and arrive
// as Buffers, byte for byte. A missing file is an error on both sides, and both continue.
//
//   node examples/stream-a-file.js
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { pipeline } = require('node:stream/promises');
const { Broker, Worker, Client } = require('zmq-omdp');

/** @param {string} file */
function digest(file) {
  return createHash('sha256').update(fs.readFileSync(file)).digest('hex');
}

async function main() {
  const broker = new Broker(process.env.OMDP_ENDPOINT ?? 'tcp://127.0.0.1:*');
  await broker.start();
  const [endpoint] = broker.endpoints;

  const worker = new Worker(endpoint, 'file');
  worker.on('request', (name, reply) => {
    // Only files of this folder are served: a client must not choose an arbitrary path.
    const file = path.join(__dirname, path.basename(name));
    const source = fs.createReadStream(file, { highWaterMark: 1024 });
    // pipe() does not pass errors on, so this does. The error's own message would reveal the folder to the client.
    source.on('error', ({ code }) => reply.error({ code, message: `cannot read ${path.basename(name)}` }));
    source.pipe(reply);
  });
  await worker.start();

  const client = new Client(endpoint);
  await client.start();

  const name = path.basename(__filename);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-example-'));
  const copy = path.join(folder, name);
  let parts = 0;
  const stream = client.requestStream('file', name);
  stream.on('data', () => {
    parts += 1;
  });
  await pipeline(stream, fs.createWriteStream(copy));
  console.log(`${name}: ${fs.statSync(copy).size} bytes in ${parts} parts`);
  console.log(digest(copy) === digest(__filename) ? 'the copy is the same' : 'the copy differs');

  // The worker's error ends the pipeline on this side, too.
  try {
    await pipeline(client.requestStream('file', 'no-such-file'), fs.createWriteStream(copy));
  } catch (error) {
    console.log(`${error.message}: ${error.code}`);
  }
  fs.rmSync(folder, { recursive: true });

  await client.stop();
  await worker.stop();
  await broker.stop();
}

main();
