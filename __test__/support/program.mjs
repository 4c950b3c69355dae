// An ES module as a user would write it.
import { Broker, Client, Worker } from 'zmq-omdp';

const broker = new Broker('tcp://127.0.0.1:*');
await broker.start();
const [endpoint] = broker.endpoints;

const worker = new Worker(endpoint, 'count');
worker.on('request', async (words, reply) => {
  for (const word of words.slice(0, -1)) reply.write(word);
  reply.end(words.at(-1));
});
const client = new Client(endpoint);
await Promise.all([worker.start(), client.start()]);

const got = [];
for await (const part of client.requestStream('count', ['one', 'two', 'three'])) got.push(part);
console.log(got.join(' '));

await Promise.all([client.stop(), worker.stop(), broker.stop()]);
