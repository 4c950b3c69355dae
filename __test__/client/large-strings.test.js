'use strict';
// Large strings stay in the memory that they were received in. Nobody may see more of it than the time that it saves.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { TRANSPORTS } = require('../support/endpoints');
const { endThreads, runChild } = require('../support/child');
const { record } = require('../support/events');
const { SERVICE, echo, peersFor, start } = require('../support/peers');

const KB = 1024;
const MB = KB * KB;

/** Around the length from which on they do. */
const LENGTHS = [128 * KB - 2, 128 * KB - 1, 128 * KB, 128 * KB + 1, MB];

/** No two parts of it are the same, and no two texts. */
function text(length, seed) {
  let made = '';
  for (let i = seed; made.length < length; i += 1) made += `${i.toString(36)} /~\x7f`;
  return made.slice(0, length);
}

for (const transport of TRANSPORTS) {
  describe(`over ${transport}`, () => {
    test('they are what was sent, and what is made of them too', async (t) => {
      const { client } = await peersFor(t, transport).trio();
      for (const length of LENGTHS) {
        const sent = text(length, length);
        const got = await client.call(SERVICE, sent);
        assert.equal(got.length, length);
        assert.ok(got === sent);
        assert.ok(`${got}€`.endsWith(`${sent.slice(-9)}€`));
        assert.equal(got.slice(1000, 1100), sent.slice(1000, 1100));
        assert.ok(Buffer.from(got).equals(Buffer.from(sent)));
        assert.equal(JSON.stringify({ got }).length, JSON.stringify({ sent }).length - 1);
        assert.ok((await client.call(SERVICE, [got]))[0] === sent);
      }
    });

    test('a broker counts none that its peers have received and keep', async (t) => {
      const peers = await peersFor(t, transport).trio(null, { broker: { maxPeerBytes: 4 * MB } });
      const { worker, client } = peers;
      const kept = [];
      worker.on('request', (data, reply) => {
        kept.push(data);
        reply.end(data);
      });
      const lost = [record(worker, ['disconnect']), record(client, ['disconnect'])];
      for (let i = 0; i < 16; i += 1) kept.push(await client.call(SERVICE, text(MB, i)));
      for (let i = 0; i < 16; i += 1) {
        const sent = text(MB, i);
        assert.ok(kept[2 * i] === sent && kept[2 * i + 1] === sent);
      }
      assert.deepEqual(lost, [[], []]);
    });
  });
}

/** Runs in the child: a worker and a client that send strings there and back; tells what they took at most. */
async function program({ omdp, say, endpoint, service, rounds, kept }) {
  const worker = new omdp.Worker(endpoint, service);
  worker.on('request', (data, reply) => reply.end(data));
  const client = new omdp.Client(endpoint);
  await Promise.all([worker.start(), client.start()]);
  const sent = 'y'.repeat(2 ** 20);
  const held = [];
  let most = 0;
  for (let i = 0; i < rounds; i += 1) {
    const got = await client.call(service, sent);
    if (got !== sent) throw new Error('not what was sent');
    if (held.length < kept) held.push(got);
    most = Math.max(most, process.memoryUsage().external);
  }
  global.gc?.();
  if (held.some((got) => got !== sent)) throw new Error('not what was received');
  say('most', most);
  // With strings in hand, and in the middle of a request.
  client.call(service, sent);
  process.exit(0);
}

test('those that nobody holds are let go, and those that somebody does stay', async (t) => {
  const peers = peersFor(t, 'tcp');
  await start(peers.broker());
  const args = { endpoint: peers.endpoint, service: SERVICE, rounds: 400, kept: 20 };
  const child = runChild(t, program, args, { nodeArgs: ['--expose-gc'] });
  const { value } = await child.said('most');
  assert.ok(value < 300 * MB, `${value / MB} MB of 800`);
  assert.equal((await child.ended).code, 0);
});

test('a thread may end with some in its hands', async (t) => {
  const peers = peersFor(t, 'tcp');
  await start(peers.broker(), peers.worker(echo));
  const inThread = `async ({ omdp, service, endpoint, how }) => {
    const client = new omdp.Client(endpoint);
    await client.start();
    globalThis.held = [];
    for (let i = 0; i < 8; i += 1) held.push(await client.call(service, 'z'.repeat(2 ** 20)));
    if (how === 'exit') process.exit(0);
    require('node:worker_threads').parentPort.postMessage('held');
    setInterval(() => {}, 1000);
  }`;
  await endThreads(t, inThread, { endpoint: peers.endpoint, service: SERVICE });
});
