'use strict';
// Messages in the right form with bodies that are no JSON, ids that are in use, and names that trip over prototypes.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { deferred } = require('../support/events');
const { SERVICE, ask, peersFor, start } = require('../support/peers');
const { rawDealer, toText } = require('../support/raw');

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
  assert.equal((await bad)[0].reason, 'invalid name or id');
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
