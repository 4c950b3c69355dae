'use strict';
// Batches that are none, or hold what is no message, at all three roles: each message of them is dropped and told by
// itself, what stands before a malformed one counts, and others are served meanwhile.
const assert = require('node:assert/strict');
const { before, describe, test } = require('node:test');
const { record, until } = require('../support/events');
const { FULL, batch, fullBatch, packed, part } = require('../support/packed');
const { SERVICE, echo, peersFor, start, suiteScope } = require('../support/peers');
const { rawDealer, rawRouter, toText } = require('../support/raw');

const PACKED = 'bad packed frames';
const UNKNOWN = 'unknown command';

/** No such command: a message that can be counted. */
const NONE = part('C', '~');
const HEARTBEAT = part('C', '4');

/** What it is, its frames, and what is said of it. */
const BATCHES = [
  ['no message', [batch()], []],
  ['good messages', [batch(HEARTBEAT, HEARTBEAT)], []],
  ['a message without a frame', [batch([0, 0])], ['too few frames']],
  ['half a length', [batch([0])], [PACKED]],
  ['a length beyond the end', [batch([0, 5], 'C')], [PACKED]],
  ['a frame beyond its message', [batch([0, 2, 9], 'C', NONE)], [PACKED]],
  ['a frame apart', [batch([0, 3, 1], 'C', [0xff]), 'x'], [PACKED]],
  ['17 frames', [batch(part(...Array(17).fill('')))], [PACKED]],
  [
    'what stands before the malformed one',
    [batch(NONE, NONE, [0, 1, 0xff], NONE)],
    [UNKNOWN, UNKNOWN, PACKED],
  ],
  ['frames behind it', [batch(NONE, NONE), 'C', '~'], [PACKED]],
  ['a batch behind it', [batch(NONE), batch(NONE)], [PACKED]],
  ['a batch in a batch', [batch(part(batch(NONE)))], [PACKED]],
  ['a batch in a packed frame', [packed(batch(NONE))], [PACKED]],
  ['a batch behind a delimiter', ['', batch(NONE)], ['unknown header']],
  ['65,536 bytes', [batch(NONE, [255, 247], Buffer.alloc(65_527))], [UNKNOWN, PACKED]],
  ['65,537 bytes', [batch(NONE, [255, 248], Buffer.alloc(65_528))], [PACKED]],
  ['100,000 messages', [batch(Buffer.alloc(200_000))], [PACKED]],
  ['10 MB', [batch(Buffer.alloc(10_000_000))], [PACKED]],
];

describe('at a broker', () => {
  const scope = suiteScope();
  let broker;
  let client;
  let dealer;
  let told;
  before(async () => {
    const peers = peersFor(scope, 'tcp');
    ({ broker, client } = await peers.trio());
    told = record(broker, ['badMessage']);
    dealer = rawDealer(scope, peers.endpoint, 'troublemaker');
  });

  for (const [what, frames, reasons] of BATCHES) {
    test(`${what}: ${reasons.join(', ') || 'nothing to be said'}`, async () => {
      await dealer.send(frames);
      await dealer.send(['C', '2', SERVICE, 'rid', '"goes on"', '{}']);
      let reply = toText(await dealer.receive());
      // Each heartbeat of a client without a hello is answered, since PIGATO's clients expect it.
      while (reply[1] === '4') reply = toText(await dealer.receive());
      assert.deepEqual(reply, ['C', '3', 'rid', '0', '"goes on"']);
      // What it tells comes in order, so all events before this.
      await broker.stats();
      assert.deepEqual(
        told.splice(0).map(([, { reason }]) => reason),
        reasons,
      );
      assert.equal(await client.call(SERVICE, 'others too'), 'others too');
    });
  }
});

test('a session in a batch: hello, request, goodbye, and nothing is left of it', async (t) => {
  const peers = peersFor(t, 'tcp');
  const { broker } = await peers.trio();
  const dealer = rawDealer(t, peers.endpoint, 'raw');
  const request = part('C', '2', 'nobody', 'rid', '1', '{}');
  await dealer.send([batch(request, part('W', '1', 'own'), part('C', '5'), part('W', '5'), request)]);
  await dealer.send([batch(part('C', '5'), part('C', '2', SERVICE, 'last', '1', '{}'))]);
  assert.deepEqual(toText(await dealer.receive()), ['C', '3', 'last', '0', '1']);
  await dealer.send([batch(part('C', '5'))]);
  await until(async () => Object.keys((await broker.stats()).services).length === 1);
});

test('full batches from several peers while others are served: each message is counted', async (t) => {
  const [senders, each] = [4, 5];
  const peers = peersFor(t, 'tcp');
  const { broker, worker, client } = await peers.trio();
  const lost = record(client, ['disconnect']);
  const lostToo = record(worker, ['disconnect']);
  const full = fullBatch();
  let attacked = 0;
  const attack = async (_, n) => {
    const dealer = rawDealer(t, peers.endpoint, `full-${n}`);
    for (let i = 0; i < each; i += 1) await dealer.send([full]);
    await dealer.send(['C', '2', SERVICE, 'the last', '"word"', '{}']);
    assert.deepEqual(toText(await dealer.receive()), ['C', '3', 'the last', '0', '"word"']);
    attacked += 1;
  };
  const attacks = Promise.all(Array.from({ length: senders }, attack));
  for (let i = 0; attacked < senders; i += 1) assert.equal(await client.call(SERVICE, i), i);
  await attacks;
  const { counters } = await broker.stats();
  assert.equal(counters.badMessages, senders * each * FULL);
  assert.deepEqual([...lost, ...lostToo], []);
});

test('full batches to a worker and a client: the first 4096 are told, and all go on', async (t) => {
  const peers = peersFor(t, 'tcp');
  const router = await rawRouter(t, peers.endpoint);
  const conf = { heartbeat: 60_000 };
  const worker = peers.worker(echo, { ...conf, name: 'W' });
  const client = peers.client({ ...conf, name: 'C' });
  await start(worker, client);
  const call = client.call(SERVICE, 'question');
  let rid;
  for (let messages = 0; messages < 3; messages += 1) {
    const [from, , command, , id] = toText(await router.receive());
    if (from === 'C' && command === '2') rid = id;
  }
  const told = [record(worker, ['badMessage']), record(client, ['badMessage'])];
  await router.send(['W', fullBatch()]);
  await router.send(['W', batch(part('W', '4'), part('W', '2', 'client', 'rid', '"goes on"'))]);
  assert.deepEqual(toText(await router.receive()), ['W', 'W', '3', 'client', 'rid', '0', '"goes on"']);
  await router.send(['C', fullBatch()]);
  await router.send(['C', batch(part('C', '4'), part('C', '3', rid, '0', '"answer"'))]);
  assert.equal(await call, 'answer');
  assert.deepEqual(
    told.map((log) => log.length),
    [4096, 4096],
  );
});
