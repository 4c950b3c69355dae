'use strict';
// What is sent is what arrives: as a request's data, as a partial, as a final and as an error value.
const assert = require('node:assert/strict');
const { randomBytes } = require('node:crypto');
const { before, describe, test } = require('node:test');
const { TRANSPORTS } = require('../support/endpoints');
const { SERVICE, ask, peersFor, suiteScope } = require('../support/peers');
const { BINARY_VALUES, JSON_VALUES, LONG_STRINGS, arriving, everyByte } = require('../support/values');

/** Sends what it gets as a partial, as a final and, asked so, as an error. */
function mirror(data, reply, opts) {
  if (opts.headers?.fail) reply.error(data);
  else {
    reply.write(data);
    reply.end(data);
  }
}

for (const transport of TRANSPORTS) {
  describe(`over ${transport}, there and back`, () => {
    const peers = peersFor(suiteScope(), transport);
    let client;
    before(async () => {
      client = (await peers.trio(mirror)).client;
    });

    for (const [name, value] of [...JSON_VALUES, ...LONG_STRINGS]) {
      test(name, async () => {
        const expected = arriving(value);
        assert.deepEqual(await ask(client, value), { partials: [[null, expected]], final: [null, expected] });
        assert.deepEqual((await ask(client, value, { headers: { fail: true } })).final, [expected]);
      });
    }

    for (const [name, value] of BINARY_VALUES) {
      test(`${name} arrives as a Buffer, byte for byte`, async () => {
        const expected = value.byteLength === 0 ? Buffer.alloc(0) : everyByte;
        const { partials, final } = await ask(client, value);
        const failure = await ask(client, value, { headers: { fail: true } });
        for (const got of [partials[0][1], final[1], failure.final[0]]) {
          assert.ok(Buffer.isBuffer(got));
          assert.ok(got.equals(expected));
        }
      });
    }

    test('10 MB of bytes', async () => {
      const bytes = randomBytes(10_000_000);
      assert.ok((await client.call(SERVICE, bytes)).equals(bytes));
    });
  });
}

test('bytes are taken when they are given: what is done to them later does not matter', async (t) => {
  const { client } = await peersFor(t).trio((data, reply) => {
    const bytes = Buffer.from(data);
    reply.write(bytes);
    reply.end(bytes);
    queueMicrotask(() => setImmediate(() => bytes.fill(0)));
  });
  const sent = Buffer.from('as it was');
  const asked = ask(client, sent);
  await new Promise(setImmediate);
  sent.fill(0);
  const { partials, final } = await asked;
  assert.equal(String(partials[0][1]), 'as it was');
  assert.equal(String(final[1]), 'as it was');
});

test('a Buffer that was received belongs to its receiver', async (t) => {
  const { client } = await peersFor(t).trio();
  const first = await client.call(SERVICE, Buffer.alloc(64, 1));
  const second = await client.call(SERVICE, Buffer.alloc(64, 2));
  first.fill(3);
  assert.ok(second.equals(Buffer.alloc(64, 2)));
});

test('text and bytes in turns keep their order', async (t) => {
  const { client } = await peersFor(t).trio((data, reply) => {
    for (let i = 0; i < 100; i += 1) reply.write(i % 3 === 0 ? Buffer.from([i]) : i % 3 === 1 ? i : `ü${i}`);
    reply.end(Buffer.from('end'));
  });
  const parts = [];
  for await (const part of client.requestStream(SERVICE, 1)) parts.push(part);
  assert.deepEqual(
    parts,
    [...Array(100).keys()]
      .map((i) => (i % 3 === 0 ? Buffer.from([i]) : i % 3 === 1 ? i : `ü${i}`))
      .concat([Buffer.from('end')]),
  );
});

test('a stream within a value, or one that says what its JSON is, is what JSON says', async (t) => {
  const { client } = await peersFor(t).trio();
  const cursor = { pipe() {}, toJSON: () => ({ cursor: 7 }) };
  assert.deepEqual(await client.call(SERVICE, cursor), { cursor: 7 });
  assert.deepEqual(await client.call(SERVICE, { pipe: 'a name' }), { pipe: 'a name' });
});

describe('what can not be sent throws a TypeError at the caller, and nothing is sent:', () => {
  const cycle = {};
  cycle.self = cycle;
  const UNSENDABLE = {
    'a cycle': cycle,
    'a BigInt': 1n,
    'a BigInt within': { deep: [1n] },
    'what only can be piped': { pipe() {} },
    'what throws in toJSON': {
      toJSON() {
        throw new Error('no');
      },
    },
  };
  for (const [name, value] of Object.entries(UNSENDABLE)) {
    test(name, async (t) => {
      const seen = [];
      const { client } = await peersFor(t).trio((data, reply) => {
        seen.push(data);
        for (const way of ['write', 'end', 'error']) assert.throws(() => reply[way](value), TypeError);
        assert.equal(reply.ended, false);
        assert.equal(reply.active(), true);
        reply.end('fine');
      });
      const fail = () => assert.fail('a callback of a request that was never made');
      assert.throws(() => client.request(SERVICE, value, fail, fail), TypeError);
      assert.throws(() => client.requestStream(SERVICE, value), TypeError);
      await assert.rejects(client.call(SERVICE, value), TypeError);
      assert.equal(await client.call(SERVICE, 'sent'), 'fine');
      assert.deepEqual(seen, ['sent']);
    });
  }
});
