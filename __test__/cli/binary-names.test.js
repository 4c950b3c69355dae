'use strict';
// Names that are no text: the routing ids of peers without a name of their own, as of MDP.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { cli } = require('../support/cli');
const { until } = require('../support/events');
const { SERVICE, peersFor } = require('../support/peers');
const { rawDealer } = require('../support/raw');

test('names that are no text are hexadecimal, and stay different', async (t) => {
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker();
  await broker.start();
  const told = [];
  broker.on('workerReady', ({ worker }) => told.push(worker));
  const given = Buffer.from('ff00', 'hex');
  for (const [service, routingId] of [
    [SERVICE, undefined],
    [SERVICE, undefined],
    ['other', given],
  ]) {
    const socket = rawDealer(t, peers.endpoint, routingId);
    await socket.send(['', 'MDPW01', '\x01', service]);
  }
  const workers = await until(async () => {
    const { workers } = await broker.stats();
    return workers.length === 3 && workers;
  });
  const names = workers.map(({ name }) => name).sort();
  assert.equal(new Set(names).size, 3);
  for (const name of names) assert.match(name, /^0x(00[\da-f]{8}|ff00)$/);
  await until(() => told.length === 3);
  assert.deepEqual(told.sort(), names);
  const { code, out } = await cli(t, ['info', 'other', '0xff00', '-b', peers.endpoint]).ended;
  assert.equal(code, 0);
  assert.match(String(out), /\n0xff00 +mdp\/0\.1 /);
});
