'use strict';
// Frames that are no message, at all three roles, from anybody: told as a badMessage event, dropped, and nothing else.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { before, describe, test } = require('node:test');
const { record } = require('../support/events');
const { SERVICE, ask, echo, peersFor, suiteScope } = require('../support/peers');
const { RAW_TRANSPORTS, rawDealer, rawRouter, toText } = require('../support/raw');

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
  [['\x01\x01C\x014\x00'], 'invalid name or id'],
  [[`\x01${'\x00'.repeat(17)}`], 'bad packed frames'],
  [['C'], 'too few frames'],
  [['W'], 'too few frames'],
  [['C', ''], 'unknown command'],
  [['C', '3', 'r', '0', '1'], 'unknown command'],
  [['C', '9'], 'unknown command'],
  [['C', '\x02', SERVICE, 'r', '1'], 'unknown command'],
  [['W', '2', 'c', 'r', '1'], 'unknown command'],
  [['W', '7'], 'too few frames'],
  [['C', '2'], 'too few frames'],
  [['C', '2', SERVICE], 'too few frames'],
  [['C', '2', SERVICE, 'r'], 'too few frames'],
  [['C', '2', '', 'r', '1', '{}'], 'invalid name or id'],
  [['C', '2', SERVICE, '', '1', '{}'], 'invalid name or id'],
  [['C', '2', LONG, 'r', '1', '{}'], 'invalid name or id'],
  [['C', '2', SERVICE, LONG, '1', '{}'], 'invalid name or id'],
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
  [['C', '4', ''], 'invalid name or id'],
  [['C', '4', 'r', 'one more'], 'too many frames'],
  [['C', '5', 'one more'], 'too many frames'],
  [['C', '8'], 'too few frames'],
  [['W', '1'], 'too few frames'],
  [['W', '1', ''], 'invalid name or id'],
  [['W', '1', LONG], 'invalid name or id'],
  [['W', '1', SERVICE, 'not json'], 'bad hello'],
  [['W', '1', SERVICE, '{"omdp":1}'], 'bad hello'],
  [['W', '1', SERVICE, '{"omdp":1,"heartbeat":9,"liveness":3,"concurrency":"all"}'], 'bad hello'],
  [['W', '1', SERVICE, HELLO, 'one more'], 'too many frames'],
  [['W', '3'], 'too few frames'],
  [['W', '3', 'c'], 'too few frames'],
  [['W', '3', 'c', 'r'], 'too few frames'],
  [['W', '3', '', 'r', '0', '1'], 'invalid name or id'],
  [['W', '3', 'c', '', '0', '1'], 'bad extension frame'],
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
  [['W', '2', '', 'r', '1'], 'invalid name or id'],
  [['W', '2', 'c', '', '1'], 'invalid name or id'],
  [['W', '2', 'c', 'r', '1', '{}'], 'too few frames'],
  [['W', '2', 'c', 'r', '1', '{}', 'not an extension'], 'bad extension frame'],
  [['W', '2', 'c', 'r', '1', '{}', Buffer.alloc(9), 'user', 'one more'], 'too many frames'],
  [['W', '4', 'c'], 'too few frames'],
  [['W', '4', 'c', 'r', 'one more'], 'too many frames'],
  [['W', '5', 'session', 'one more'], 'bad extension frame'],
  [['W', '5', 'session', 'A', 'one more'], 'too many frames'],
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
  [['C', '1', HELLO, 'one more'], 'too few frames'],
  [['C', '3'], 'too few frames'],
  [['C', '3', rid], 'too few frames'],
  [['C', '6', rid], 'too few frames'],
  [['C', '6', rid, '0'], 'too few frames'],
  [['C', '3', '', '0', '1'], 'invalid name or id'],
  [['C', '3', rid, '7', '1'], 'too many frames'],
  [['C', '3', rid, '0', '1', 'not an extension'], 'bad extension frame'],
  [['C', '3', rid, '0', '1', Buffer.from([0xff])], 'bad extension frame'],
  [['C', '6', rid, '0', '1', Buffer.from([4])], 'bad extension frame'],
  [['C', '3', rid, '0', '1', Buffer.from([0]), 'one more'], 'too many frames'],
  [['C', '4', 'one more'], 'too many frames'],
  [['C', '5', 'session', 'one more'], 'bad extension frame'],
  [['C', '5', 'session', 'A', 'one more'], 'too many frames'],
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
        const [{ address, ...event }] = await told;
        assert.deepEqual(event, { peer: 'troublemaker', reason });
        assert.equal(/^127\.[\d.]+:\d+$/.test(address), transport === 'tcp', address);
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
