'use strict';
// With security on a name belongs to the connection that holds it; who comes later is heard once it is free.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { curveKeyPair } = require('../..');
const { until } = require('../support/events');
const { SERVICE, echo, peersFor } = require('../support/peers');

test('of two clients of one name the later one works once the first has gone', async (t) => {
  const peers = peersFor(t, 'tcp');
  const keys = curveKeyPair();
  const own = curveKeyPair();
  const conf = { curveServerKey: keys.publicKey, curveSecretKey: own.secretKey };
  const broker = peers.broker({ curveServer: true, curveSecretKey: keys.secretKey });
  const refused = [];
  broker.on('peerRefused', (event) => refused.push(event));
  await broker.start();
  const worker = peers.worker(echo, conf);
  await worker.start();
  const first = peers.client({ ...conf, name: 'same' });
  await first.start();
  assert.equal(await first.call(SERVICE, 1), 1);
  const second = peers.client({ ...conf, name: 'same' });
  await second.start();
  // The holder is not disturbed, and the broker says what it makes of the other.
  assert.equal(await first.call(SERVICE, 3), 3);
  while (refused.length === 0) await new Promise((resolve) => broker.once('peerRefused', resolve));
  assert.equal(refused[0].reason, 'nothing heard of it');
  assert.equal(await first.call(SERVICE, 4), 4);
  await first.stop();
  const answered = () => second.call(SERVICE, 2, { timeout: 1000 }).catch((error) => error.code);
  await until(async () => (await answered()) === 2, 'the name is free and nobody hears', 25_000);
});
