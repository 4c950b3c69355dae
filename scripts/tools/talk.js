'use strict';
// The program that shows that an installed or bundled package works: a request through a broker and a worker,
// with a reply in two parts. It prints one line and ends.

const TALK = `
async function talk(how, { Broker, Worker, Client }) {
  const broker = new Broker('tcp://127.0.0.1:*');
  await broker.start();
  const [endpoint] = broker.endpoints;
  const worker = new Worker(endpoint, 'echo');
  const client = new Client(endpoint);
  worker.on('request', (data, reply) => {
    reply.write(Buffer.from(data));
    reply.end(data);
  });
  await Promise.all([worker.start(), client.start()]);
  const parts = [];
  for await (const part of client.requestStream('echo', 'hello')) parts.push(String(part));
  await Promise.all([client.stop(), worker.stop()]);
  await broker.stop();
  if (parts.join() !== 'hello,hello') throw new Error('got ' + parts);
  console.log(how + ': a request went there and back');
}
`;

/** As CommonJS. */
const BY_REQUIRE = `${TALK}
talk('require', require('zmq-omdp'));
`;

/** As an ES module. */
const BY_IMPORT = `import { Broker, Worker, Client } from 'zmq-omdp';
${TALK}
await talk('import', { Broker, Worker, Client });
`;

/** For a test runner with a global `test`. */
const AS_TEST = `
const omdp = require('zmq-omdp');
${TALK}
test('a request goes there and back', () => talk('test', omdp));
`;

/** The output of each of them. */
const TALKED = /: a request went there and back/;

module.exports = { AS_TEST, BY_IMPORT, BY_REQUIRE, TALKED };
