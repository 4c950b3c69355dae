'use strict';
// Nonsense in great number and size, and from somebody who speaks another protocol.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { test } = require('node:test');
const { record, until } = require('../support/events');
const { generator } = require('../support/nonsense');
const { SERVICE, echo, peersFor, start } = require('../support/peers');
const { rawDealer, rawRouter, toText } = require('../support/raw');

/** Nobody beats unasked, or is lost for not beating. */
const SLOW = { heartbeat: 60_000 };

const HELLO = '{"heartbeat":2500,"liveness":3,"omdp":1}';

const WORDS = [
  '',
  'C',
  'W',
  '0',
  '1',
  '2',
  '3',
  '4',
  '5',
  '6',
  '7',
  '8',
  '9',
  'a',
  'b',
  HELLO,
  '{}',
  'null',
  '"x"',
];

/** Frames as a peer that means no good, or has lost its mind, would send them. */
function nonsense(below) {
  const frames = [['C', 'W'][below(2)], WORDS[3 + below(10)]];
  for (let count = below(6); count > 0; count -= 1) {
    frames.push(
      below(4) === 0
        ? Buffer.from(Array.from({ length: below(12) }, () => below(256)))
        : WORDS[below(WORDS.length)],
    );
  }
  return below(10) === 0 ? frames.slice(below(3)) : frames;
}

const SEEDS = [1, 2, 3, 4, 5];
const COUNT = 2000;

test(`${COUNT} messages of nonsense to a broker, from ${SEEDS.length} peers, do no harm`, async (t) => {
  const peers = peersFor(t, 'tcp');
  const { broker, client } = await peers.trio();
  const bad = record(broker, ['badMessage']);
  for (const seed of SEEDS) {
    const below = generator(seed);
    const dealer = rawDealer(t, peers.endpoint, `nonsense-${seed}`);
    for (let i = 0; i < COUNT; i += 1) {
      const frames = nonsense(below);
      if (frames.length > 0) await dealer.send(frames);
    }
    // Once this is answered the broker has been through all of them.
    await dealer.send(['C', '2', SERVICE, 'the last', '"word"', '{}']);
    for (;;) if (String((await dealer.receive())[2]) === 'the last') break;
  }
  // The events come up to a rate; the counter has all.
  const { counters } = await broker.stats();
  assert.ok(counters.badMessages > COUNT, `${counters.badMessages} were bad`);
  assert.ok(bad.length > 0);
  assert.equal(await client.call(SERVICE, 'goes on'), 'goes on');
});

test(`${COUNT} messages of nonsense to a worker and a client do no harm`, async (t) => {
  const peers = peersFor(t, 'tcp');
  const router = await rawRouter(t, peers.endpoint);
  const [worker, client] = [
    peers.worker(echo, { ...SLOW, name: 'W', concurrency: -1 }),
    peers.client({ ...SLOW, name: 'C' }),
  ];
  await start(worker, client);
  await router.receive();
  await router.receive();
  const bad = [record(worker, ['badMessage']), record(client, ['badMessage'])];
  const below = generator(7);
  for (let i = 0; i < COUNT; i += 1) {
    const frames = nonsense(below);
    // A DISCONNECT makes them begin anew, which is another test.
    if (frames.length > 0 && !(frames[1] === '5' && frames.length === 2)) {
      await router.send(['W', ...frames]);
      await router.send(['C', ...frames]);
    }
  }
  await router.send(['W', 'W', '2', 'client', 'the last', '"word"']);
  for (;;) if (String((await router.receive())[4]) === 'the last') break;
  const call = client.call(SERVICE, 'goes on');
  for (;;) {
    const [from, header, command, , rid] = toText(await router.receive());
    if (from !== 'C' || header !== 'C' || command !== '2') continue;
    await router.send(['C', 'C', '3', rid, '0', '"it does"']);
    break;
  }
  assert.equal(await call, 'it does');
  await until(
    () => bad.every((log) => log.length > COUNT / 4),
    () => `${bad.map((log) => log.length).join(' and ')} were bad`,
  );
});

test('10,000 frames, and frames of 10 MB, do no harm', async (t) => {
  const peers = peersFor(t, 'tcp');
  const { broker, client } = await peers.trio();
  const dealer = rawDealer(t, peers.endpoint, 'raw');
  for (const frames of [
    Array(10_000).fill('C'),
    Array(10_000).fill(''),
    ['C', '2', ...Array(10_000).fill('2')],
    [Buffer.alloc(10_000_000)],
    ['W', Buffer.alloc(10_000_000)],
    ['C', '2', Buffer.alloc(10_000_000, 'x'), 'r', '1', '{}'],
  ]) {
    const told = once(broker, 'badMessage');
    await dealer.send(frames);
    await told;
  }
  assert.equal(await client.call(SERVICE, 'goes on'), 'goes on');
});

test('somebody who speaks no ZeroMQ at all does no harm', async (t) => {
  const net = require('node:net');
  const peers = peersFor(t, 'tcp');
  const { client } = await peers.trio();
  const { hostname, port } = new URL(peers.endpoint);
  for (const text of ['GET / HTTP/1.1\r\n\r\n', '\xff\0\0\0\0\0\0\0\x01\x7f', '\0'.repeat(100_000), '']) {
    const socket = net.connect({ host: hostname, port: Number(port) });
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.end(Buffer.from(text, 'latin1'));
    await new Promise((resolve) => {
      socket.on('close', resolve);
      socket.resume();
      setImmediate(() => socket.destroy());
    });
    assert.equal(await client.call(SERVICE, 'goes on'), 'goes on');
  }
});
