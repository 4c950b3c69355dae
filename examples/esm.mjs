// The same package from an ES module.
//
//   node examples/esm.mjs
import { Broker, Client, OmdpError, version, Worker } from 'zmq-omdp';

const broker = new Broker(process.env.OMDP_ENDPOINT ?? 'tcp://127.0.0.1:*');
await broker.start();
const [endpoint] = broker.endpoints;

const worker = new Worker(endpoint, 'upper');
worker.on('request', async (text, reply) => {
  await null;
  reply.end(text.toUpperCase());
});
await worker.start();

const client = new Client(endpoint);
await client.start();
console.log(await client.call('upper', `over libzmq ${version}`));

// This service has no worker: the request ends by its timeout.
try {
  await client.call('nobody', null, { timeout: 100 });
} catch (error) {
  if (!(error instanceof OmdpError)) throw error;
  console.log(`nobody answered: ${error.code}`);
}

await client.stop();
await worker.stop();
await broker.stop();
