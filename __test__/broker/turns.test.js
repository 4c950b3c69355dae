'use strict';
// Peers whose messages hold many: all of it is done, in order, while others have their turns.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { before, describe, test } = require('node:test');
const { curveKeyPair } = require('../..');
const { freshEndpoint } = require('../support/endpoints');
const { until } = require('../support/events');
const { batch, part } = require('../support/packed');
const { SERVICE, peersFor, suiteScope } = require('../support/peers');
const { rawDealer } = require('../support/raw');

const MIB = 1024 * 1024;
/** In one frame, more than twice of what is done at once. */
const MANY = 700;

const request = (service, rid) => part('C', '2', service, rid, '1', '{}');
const frame = (service, first) =>
  batch(...Array.from({ length: MANY }, (_, n) => request(service, `r${first + n}`)));

describe('a peer that sends much at once', () => {
  const scope = suiteScope();
  let peers;
  let broker;
  let client;
  before(async () => {
    peers = peersFor(scope, 'tcp');
    ({ broker, client } = await peers.trio(undefined, { broker: { heartbeat: 200 } }));
  });

  test('has all of it done, in order, and so have others', async (t) => {
    const dealer = rawDealer(t, peers.endpoint);
    for (let n = 0; n < 5; n += 1) await dealer.send([frame('mmi.service', n * MANY)]);
    await dealer.send(['C', '2', 'mmi.service', 'last', '1', '{}']);
    assert.equal(await client.call(SERVICE, 'goes on'), 'goes on');
    const answered = [];
    while (answered.at(-1) !== 'last') answered.push(String((await dealer.receive())[2]));
    const expected = Array.from({ length: 5 * MANY }, (_, n) => `r${n}`);
    assert.deepEqual(answered, [...expected, 'last']);
  });

  test('and goes leaves nothing behind', async (t) => {
    const dealer = rawDealer(t, peers.endpoint, 'goes');
    for (let n = 0; n < 5; n += 1) await dealer.send([frame('nobody', n * MANY)]);
    await until(async () => (await broker.stats()).queued > 0);
    dealer.close();
    await until(async () => (await broker.stats()).queued === 0);
    const { heldBytes, tables } = await broker.stats();
    assert.equal(tables.services, 1);
    assert.equal(tables.requests, 0);
    assert.ok(heldBytes < 4096);
  });
});

test('a user who goes while much of it waits is gone before another has the name', async (t) => {
  const [server, user] = [curveKeyPair(), curveKeyPair()];
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker({
    curveServer: true,
    curveSecretKey: server.secretKey,
    security: { users: { user: { keys: user.publicKey } } },
  });
  await broker.start();
  const { Dealer } = require('zeromq');
  const dealer = new Dealer({
    linger: 0,
    routingId: 'goes',
    curveServerKey: server.publicKey,
    curvePublicKey: user.publicKey,
    curveSecretKey: user.secretKey,
  });
  dealer.connect(broker.endpoints[0]);
  for (let n = 0; n < 5; n += 1) await dealer.send([frame('nobody', n * MANY)]);
  await until(async () => (await broker.stats()).queued > 0);
  dealer.close();
  await until(async () => (await broker.stats()).tables.clients === 0);
  const { heldBytes, tables } = await broker.stats();
  assert.deepEqual([heldBytes, tables.requests, tables.accounts], [0, 0, 0]);
});

/** Takes the broker some hundred times as long as it takes to send it. */
const EMPTY = batch(Buffer.alloc(60_000));

/** A client that is not silent for longer than this only if the broker knows that its messages wait. */
const BRISK = { heartbeat: 100, liveness: 3 };
const hello = JSON.stringify({ omdp: 1, session: 'a', ...BRISK });

test('a peer that sends faster than it is served is not read for a while, and loses nothing', async (t) => {
  const peers = peersFor(t, 'tcp');
  const conf = { maxHeldPerPeer: MIB, ...BRISK };
  const { broker, client } = await peers.trio(undefined, { broker: conf });
  const told = [];
  for (const name of ['clientGone', 'limitReached']) broker.on(name, (event) => told.push([name, event]));
  const dealer = rawDealer(t, peers.endpoint, 'flood');
  await dealer.send(['C', '1', hello]);
  // Twice as much as may wait for a turn.
  for (let n = 0; n < 40; n += 1) await dealer.send([EMPTY]);
  await dealer.send(['C', '2', 'mmi.service', 'last', JSON.stringify(SERVICE), '{}']);
  assert.equal(await client.call(SERVICE, 'goes on'), 'goes on');
  let reply = [];
  while (reply[2] !== 'last') reply = (await dealer.receive()).map(String);
  assert.equal(reply[4], '200');
  assert.deepEqual(told, []);
});

test('where peers cannot be stopped, one that has too much waiting is sent away, and others are served', async (t) => {
  const peers = peersFor(t, 'tcp');
  // A broker with an endpoint of libzmq's leaves all its connections to it.
  const broker = peers.broker({ maxHeldPerPeer: MIB }, [peers.endpoint, freshEndpoint('inproc')]);
  await broker.start();
  const [worker, client] = [peers.worker((data, reply) => reply.end(data)), peers.client()];
  await Promise.all([worker.start(), client.start()]);
  const gone = once(broker, 'clientGone');
  const dealer = rawDealer(t, peers.endpoint, 'flood');
  await dealer.send(['C', '1', hello]);
  let flooding = true;
  const flood = (async () => {
    while (flooding) await dealer.send([EMPTY]);
  })();
  const [{ client: who, reason }] = await gone;
  assert.deepEqual([who, reason], ['flood', 'over its limit']);
  assert.equal(await client.call(SERVICE, 'goes on'), 'goes on');
  flooding = false;
  await flood;
});
