'use strict';
// Frames that are no message, at all three roles, from anybody: told as a badMessage event, dropped, and nothing else.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { before, describe, test } = require('node:test');
const { deferred, record, until } = require('./support/events');
const { generator } = require('./support/nonsense');
const { SERVICE, ask, echo, peersFor, start, suiteScope } = require('./support/peers');
const { RAW_TRANSPORTS, rawDealer, rawRouter, toText } = require('./support/raw');

/** Nobody beats unasked, or is lost for not beating. */
const SLOW = { heartbeat: 60_000 };

const HELLO = '{"heartbeat":2500,"liveness":3,"omdp":1}';
const LONG = 'x'.repeat(65_536);

const show = (frames) =>
  frames
    .map((frame) => (typeof frame === 'string' && frame.length < 50 ? frame || '∅' : `<${frame.length}>`))
    .join(' ');

/** For the broker: frames, and why they are none of its messages. */
const TO_BROKER = [
  [[''], 'unknown header'],
  [['X', '1'], 'unknown header'],
  [['', 'C', '2', SERVICE, 'r', '1'], 'unknown header'],
  [['CC', '4'], 'unknown header'],
  [[LONG], 'unknown header'],
  [['\x01'], 'too few frames'],
  [['\x01\x02C'], 'bad packed frames'],
  [['\x01\x01W\x014', '4'], 'bad packed frames'],
  [['\x01\x01W\xff'], 'bad packed frames'],
  [['\x01\x01C\x014\x00'], 'bad name or id'],
  [[`\x01${'\x00'.repeat(17)}`], 'bad packed frames'],
  [['C'], 'too few frames'],
  [['W'], 'too few frames'],
  [['C', ''], 'unknown command'],
  [['C', '3', 'r', '0', '1'], 'unknown command'],
  [['C', '9'], 'unknown command'],
  [['C', '\x02', SERVICE, 'r', '1'], 'unknown command'],
  [['W', '2', 'c', 'r', '1'], 'unknown command'],
  [['W', '7'], 'unknown command'],
  [['C', '2'], 'too few frames'],
  [['C', '2', SERVICE], 'too few frames'],
  [['C', '2', SERVICE, 'r'], 'too few frames'],
  [['C', '2', '', 'r', '1', '{}'], 'bad name or id'],
  [['C', '2', SERVICE, '', '1', '{}'], 'bad name or id'],
  [['C', '2', LONG, 'r', '1', '{}'], 'bad name or id'],
  [['C', '2', SERVICE, LONG, '1', '{}'], 'bad name or id'],
  [['C', '2', SERVICE, 'r', '1', '{}', 'not an extension'], 'bad extension frame'],
  [['C', '2', SERVICE, 'r', '1', '{}', Buffer.from([0xff, 0, 0, 0, 1])], 'bad extension frame'],
  [['C', '2', SERVICE, 'r', '1', '{}', Buffer.from([0, 0, 0, 0, 1]), 'one more'], 'too many frames'],
  [['C', '2', SERVICE, 'r', '{"not":"a Buffer"}', '{}', Buffer.from([2, 0, 0, 0, 1])], 'bad body'],
  [['C', '1'], 'too few frames'],
  [['C', '1', 'not json'], 'bad hello'],
  [['C', '1', '{}'], 'bad hello'],
  [['C', '1', '{"omdp":1,"heartbeat":0,"liveness":3}'], 'bad hello'],
  [['C', '1', '{"omdp":1,"heartbeat":1e99,"liveness":3}'], 'bad hello'],
  [['C', '1', HELLO, 'one more'], 'too many frames'],
  [['C', '4', ''], 'bad name or id'],
  [['C', '4', 'r', 'one more'], 'too many frames'],
  [['C', '5', 'one more'], 'too many frames'],
  [['C', '8'], 'too few frames'],
  [['W', '1'], 'too few frames'],
  [['W', '1', ''], 'bad name or id'],
  [['W', '1', LONG], 'bad name or id'],
  [['W', '1', SERVICE, 'not json'], 'bad hello'],
  [['W', '1', SERVICE, '{"omdp":1}'], 'bad hello'],
  [['W', '1', SERVICE, '{"omdp":1,"heartbeat":9,"liveness":3,"concurrency":"all"}'], 'bad hello'],
  [['W', '1', SERVICE, HELLO, 'one more'], 'too many frames'],
  [['W', '3'], 'too few frames'],
  [['W', '3', 'c'], 'too few frames'],
  [['W', '3', 'c', 'r'], 'too few frames'],
  [['W', '3', '', 'r', '0', '1'], 'bad name or id'],
  [['W', '3', 'c', '', '0', '1'], 'bad name or id'],
  [['W', '6', 'c', 'r', '0'], 'too few frames'],
  [['W', '6', 'c', 'r', '"error"', '1'], 'too many frames'],
  [['W', '3', 'c', 'r', '7', '1'], 'too many frames'],
  [['W', '3', 'c', 'r', '0', '1', 'not an extension'], 'bad extension frame'],
  [['W', '4', 'one more'], 'too many frames'],
  [['W', '5', 'one more'], 'too many frames'],
];

/** For a worker. */
const TO_WORKER = [
  [[''], 'unknown header'],
  [['C', '3', 'r', '0', '1'], 'unknown header'],
  [['MDPW02', '\x02', 'c', '', 'x'], 'unknown header'],
  [['W'], 'too few frames'],
  [['W', ''], 'unknown command'],
  [['W', '3', 'c', 'r', '0', '1'], 'unknown command'],
  [['W', '99'], 'unknown command'],
  [['W', '1'], 'too few frames'],
  [['W', '1', 'not json'], 'bad hello'],
  [['W', '1', HELLO, 'one more'], 'too many frames'],
  [['W', '2'], 'too few frames'],
  [['W', '2', 'c'], 'too few frames'],
  [['W', '2', 'c', 'r'], 'too few frames'],
  [['W', '2', '', 'r', '1'], 'bad name or id'],
  [['W', '2', 'c', '', '1'], 'bad name or id'],
  [['W', '2', 'c', 'r', '1', '{}'], 'too few frames'],
  [['W', '2', 'c', 'r', '1', '{}', 'not an extension'], 'bad extension frame'],
  [['W', '2', 'c', 'r', '1', '{}', Buffer.alloc(9), 'user', 'one more'], 'too many frames'],
  [['W', '4', 'c'], 'too few frames'],
  [['W', '4', 'c', 'r', 'one more'], 'too many frames'],
  [['W', '5', 'session', 'one more'], 'too many frames'],
  [['W', '8'], 'too few frames'],
  [['W', '8', 'short'], 'bad extension frame'],
];

/** For a client that waits for the reply to `rid`. */
const toClient = (rid) => [
  [[''], 'unknown header'],
  [['W', '4'], 'unknown header'],
  [['C'], 'too few frames'],
  [['C', ''], 'unknown command'],
  [['C', '2', SERVICE, rid, '1', '{}'], 'unknown command'],
  [['C', '1'], 'too few frames'],
  [['C', '1', 'not json'], 'bad hello'],
  [['C', '1', HELLO, 'one more'], 'too many frames'],
  [['C', '3'], 'too few frames'],
  [['C', '3', rid], 'too few frames'],
  [['C', '6', rid], 'too few frames'],
  [['C', '6', rid, '0'], 'too few frames'],
  [['C', '3', '', '0', '1'], 'bad name or id'],
  [['C', '3', rid, '7', '1'], 'too many frames'],
  [['C', '3', rid, '0', '1', 'not an extension'], 'bad extension frame'],
  [['C', '3', rid, '0', '1', Buffer.from([0xff])], 'bad extension frame'],
  [['C', '6', rid, '0', '1', Buffer.from([4])], 'bad extension frame'],
  [['C', '3', rid, '0', '1', Buffer.from([0]), 'one more'], 'too many frames'],
  [['C', '4', 'one more'], 'too many frames'],
  [['C', '5', 'session', 'one more'], 'too many frames'],
];

for (const transport of RAW_TRANSPORTS) {
  describe(`at a broker over ${transport}`, () => {
    const scope = suiteScope();
    let broker;
    let client;
    let dealer;
    before(async () => {
      const peers = peersFor(scope, transport);
      ({ broker, client } = await peers.trio());
      dealer = rawDealer(scope, peers.endpoint, 'troublemaker');
    });

    for (const [frames, reason] of TO_BROKER) {
      test(`${show(frames)}: ${reason}`, async () => {
        const told = once(broker, 'badMessage');
        await dealer.send(frames);
        assert.deepEqual((await told)[0], { peer: 'troublemaker', reason });
        assert.equal(await client.call(SERVICE, 'goes on'), 'goes on');
      });
    }
  });

  describe(`at a worker over ${transport}`, () => {
    const scope = suiteScope();
    let router;
    let worker;
    before(async () => {
      const peers = peersFor(scope, transport);
      router = await rawRouter(scope, peers.endpoint);
      worker = peers.worker(echo, { ...SLOW, name: 'W' });
      await worker.start();
      assert.equal((await router.receive()).length, 5);
    });

    for (const [frames, reason] of TO_WORKER) {
      test(`${show(frames)}: ${reason}`, async () => {
        const told = once(worker, 'badMessage');
        await router.send(['W', ...frames]);
        assert.deepEqual((await told)[0], { reason });
        await router.send(['W', 'W', '2', 'client', 'rid', '"goes on"']);
        assert.deepEqual(toText(await router.receive()), ['W', 'W', '3', 'client', 'rid', '0', '"goes on"']);
      });
    }
  });

  describe(`at a client over ${transport}`, () => {
    const scope = suiteScope();
    let router;
    let client;
    let rid;
    let asked;
    before(async () => {
      const peers = peersFor(scope, transport);
      router = await rawRouter(scope, peers.endpoint);
      client = peers.client({ ...SLOW, name: 'C' });
      await client.start();
      asked = ask(client, 'data');
      assert.deepEqual(toText(await router.receive()).slice(0, 3), ['C', 'C', '1']);
      rid = (await router.receive())[4].toString();
    });

    for (const [index, [, reason]] of toClient('rid').entries()) {
      test(`${show(toClient('rid')[index][0])}: ${reason}`, async () => {
        const told = once(client, 'badMessage');
        await router.send(['C', ...toClient(rid)[index][0]]);
        assert.deepEqual((await told)[0], { reason });
      });
    }

    test('and its request gets its reply after all of them', async () => {
      const bad = record(client, ['badMessage']);
      await router.send(['C', 'C', '3', 'unknown', '0', '1']);
      await router.send(['C', 'C', '6', rid, '0', '1']);
      await router.send(['C', 'C', '3', rid, '0', '2']);
      assert.deepEqual(await asked, { partials: [[null, 1]], final: [null, 2] });
      assert.deepEqual(bad, [], 'a reply to what has ended is nobody’s fault');
    });
  });
}

describe('bodies that are no JSON', () => {
  const BODIES = [
    '',
    'text',
    '{"a":',
    'undefined',
    "{'a':1}",
    Buffer.from([0xff, 0xfe, 0x00]),
    Buffer.alloc(5000, '"'),
  ];

  test('in a request: its client gets an error, and the worker takes the next', async (t) => {
    const peers = peersFor(t, 'tcp');
    const { client } = await peers.trio();
    const dealer = rawDealer(t, peers.endpoint, 'C-raw');
    for (const body of BODIES) {
      await dealer.send(['C', '2', SERVICE, 'rid', body, '{"timeout":60000}']);
      const [header, command, rid, error, ...rest] = toText(await dealer.receive());
      assert.deepEqual([header, command, rid, rest], ['C', '3', 'rid', []]);
      assert.equal(JSON.parse(error).code, 'C_BAD_REQUEST');
      assert.equal(await client.call(SERVICE, 'goes on'), 'goes on');
    }
  });

  test('in a partial or a final: W_BAD_REPLY', async (t) => {
    const peers = peersFor(t, 'tcp');
    const [broker, client] = [peers.broker(), peers.client()];
    await start(broker, client);
    const dealer = rawDealer(t, peers.endpoint, 'W-raw');
    await dealer.send(['W', '1', SERVICE]);
    for (const command of ['3', '6']) {
      for (const body of BODIES) {
        const asked = ask(client, 1);
        const frames = await dealer.receive();
        const [, , to, rid] = frames;
        await dealer.send(['W', command, to, rid, '0', body]);
        assert.deepEqual(await asked, { partials: [], final: ['W_BAD_REPLY'] });
        if (command === '6') await dealer.send(['W', '3', to, rid, '0', '1']);
      }
    }
  });
});

test('a request id that is in use is refused, and the request that has it is unharmed', async (t) => {
  const peers = peersFor(t, 'tcp');
  const running = deferred();
  const seen = [];
  const handler = (data, reply) => {
    seen.push(data);
    running.resolve(reply);
  };
  const { broker } = await peers.trio(handler, { worker: { concurrency: 2 } });
  const dealer = rawDealer(t, peers.endpoint, 'C-raw');
  await dealer.send(['C', '2', SERVICE, 'same', '"first"', '{}']);
  const reply = await running.promise;
  const bad = once(broker, 'badMessage');
  await dealer.send(['C', '2', SERVICE, 'same', '"second"', '{}']);
  assert.equal((await bad)[0].reason, 'bad name or id');
  assert.deepEqual(seen, ['first']);
  reply.end('done');
  assert.deepEqual(toText(await dealer.receive()), ['C', '3', 'same', '0', '"done"']);
});

test('services with the names of Object.prototype are services like any other', async (t) => {
  const peers = peersFor(t, 'tcp');
  const { client } = await peers.trio();
  const dealer = rawDealer(t, peers.endpoint, 'raw');
  for (const service of ['constructor', '__proto__', 'hasOwnProperty', 'toString', 'valueOf']) {
    await dealer.send(['C', '2', service, service, '1', '{"timeout":20}']);
    assert.deepEqual(toText(await dealer.receive()), ['C', '3', service, '"C_TIMEOUT"']);
    await dealer.send(['W', '1', service]);
    const call = client.call(service, service);
    const [, , to, rid, data] = await dealer.receive();
    await dealer.send(['W', '3', to, rid, '0', data]);
    assert.equal(await call, service);
    await dealer.send(['W', '5']);
  }
});

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
  await until(
    () => bad.length > COUNT,
    () => `${bad.length} were bad`,
  );
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
