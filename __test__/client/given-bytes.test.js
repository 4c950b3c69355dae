'use strict';
// The option `transfer`: the memory of bytes is given away, and is sent as it was given.
const assert = require('node:assert/strict');
const { subscribe, unsubscribe } = require('node:diagnostics_channel');
const { Readable } = require('node:stream');
const { describe, test } = require('node:test');
const { markAsUntransferable } = require('node:worker_threads');
const { TRANSPORTS } = require('../support/endpoints');
const { endThreads, runChild } = require('../support/child');
const { SERVICE, ask, echo, peersFor, start } = require('../support/peers');

const KB = 1024;
const MB = KB * KB;

const TRANSFER = { transfer: true };

/** On both sides of the size from which on they are not copied. */
const SIZES = [1, 16 * KB - 1, 16 * KB, MB, 5 * MB];

/** No two of them are the same, and each has an ArrayBuffer of its own. */
function bytes(size, seed = 0) {
  return Buffer.from(new ArrayBuffer(size)).fill(`${seed}/${size} `);
}

const same = (got, sent) => assert.ok(got.equals(sent), `${got.length} bytes, ${sent.length} expected`);

for (const transport of TRANSPORTS) {
  describe(`over ${transport}`, () => {
    test('requests, partials and finals of every size arrive, and are gone here', async (t) => {
      const left = [];
      const { client } = await peersFor(t, transport).trio((data, reply) => {
        const parts = [bytes(data.length, 1), bytes(data.length, 2)];
        reply.write(parts[0], TRANSFER);
        reply.end(parts[1], TRANSFER);
        left.push(...parts);
      });
      for (const size of SIZES) {
        const sent = bytes(size);
        const view = new Uint16Array(sent.buffer, 0, size >> 1);
        const stream = client.requestStream(SERVICE, sent, TRANSFER);
        assert.equal(sent.length + view.length + sent.buffer.byteLength, 0);
        const got = await stream.toArray();
        same(Buffer.concat(got), Buffer.concat([bytes(size, 1), bytes(size, 2)]));
      }
      assert.ok(left.every((part) => part.length === 0));
    });

    test('many at once arrive as they were', async (t) => {
      const { client } = await peersFor(t, transport).trio(
        (data, reply) => reply.end(Buffer.from(data), TRANSFER),
        { worker: { concurrency: 8 } },
      );
      const calls = Array.from({ length: 64 }, (_, n) => client.call(SERVICE, bytes(MB, n), TRANSFER));
      const all = await Promise.all(calls);
      for (const [n, got] of all.entries()) same(got, bytes(MB, n));
    });
  });
}

test('those of a request before start(), and of one that is made again after the death of the broker', async (t) => {
  const peers = peersFor(t, 'tcp');
  const client = peers.client();
  const waits = client.call(SERVICE, bytes(MB, 1), TRANSFER);
  const broker = peers.broker();
  await start(broker, client);
  const queued = client.call(SERVICE, bytes(MB, 2), TRANSFER);
  await client.call('mmi.stats');
  await broker.stop();
  await start(peers.broker(), peers.worker(echo));
  same(await waits, bytes(MB, 1));
  same(await queued, bytes(MB, 2));
});

test('those of a request that another worker gets', async (t) => {
  const peers = peersFor(t, 'tcp');
  await start(peers.broker());
  const client = peers.client();
  const first = peers.worker((data, reply) => {
    data.fill(0);
    reply.error('busy');
  });
  await start(first, client);
  const policy = { attempts: 3, on: ['error'], delay: 1, jitter: 0 };
  let attempts = 0;
  first.on('request', () => {
    attempts += 1;
    if (attempts === 2) void first.stop().then(() => start(peers.worker(echo)));
  });
  same(await client.call(SERVICE, bytes(MB, 3), { ...TRANSFER, retry: policy }), bytes(MB, 3));
});

test('parts of a stream', async (t) => {
  const { client } = await peersFor(t, 'tcp').trio(async (data, reply) => {
    reply.end(Buffer.concat(await data.toArray()));
  });
  const parts = [0, 1, 2, 3].map((n) => bytes(MB, n));
  const whole = Buffer.concat(parts);
  same(await client.call(SERVICE, Readable.from(parts), TRANSFER), whole);
  assert.ok(parts.every((part) => part.length === 0));
});

test('parts that wait for the client', async (t) => {
  let sent;
  const { client } = await peersFor(t, 'tcp').trio((_data, reply) => {
    sent = Array.from({ length: 8 }, (_, n) => bytes(MB, n));
    for (const part of sent) reply.write(part, TRANSFER);
    reply.end();
  });
  let n = 0;
  for await (const part of client.requestStream(SERVICE)) {
    same(part, bytes(MB, n));
    n += 1;
  }
  assert.equal(n, 8);
  assert.ok(sent.every((part) => part.length === 0));
});

test('bytes that cannot be given away are copied, and stay', async (t) => {
  const { client } = await peersFor(t, 'tcp').trio();
  const received = await client.call(SERVICE, bytes(MB, 4));
  const untransferable = bytes(MB, 5);
  markAsUntransferable(untransferable.buffer);
  const given = [
    Buffer.from('of the pool'),
    bytes(MB, 1).subarray(1),
    new DataView(new ArrayBuffer(100_000), 8),
    new Uint8Array(new SharedArrayBuffer(100_000)).fill(3),
    new Uint8Array(new WebAssembly.Memory({ initial: 2 }).buffer).fill(4),
    received,
    untransferable,
    new Uint8Array(0),
  ];
  for (const each of given) {
    const before = Buffer.from(each.buffer.slice(each.byteOffset, each.byteOffset + each.byteLength));
    const call = client.call(SERVICE, each, TRANSFER);
    assert.equal(each.byteLength, before.length);
    if (each.buffer instanceof ArrayBuffer)
      new Uint8Array(each.buffer, each.byteOffset, each.byteLength).fill(255);
    same(await call, before);
  }
  assert.equal(await client.call(SERVICE, 'a string', TRANSFER), 'a string');
  assert.deepEqual(await client.call(SERVICE, { an: 'object' }, TRANSFER), { an: 'object' });
});

test('typed arrays and ArrayBuffers are given away, too', async (t) => {
  const { client } = await peersFor(t, 'tcp').trio();
  for (const given of [
    new Float64Array(10_000).fill(1),
    new ArrayBuffer(80_000),
    new DataView(new ArrayBuffer(80_000)),
  ]) {
    const call = client.call(SERVICE, given, TRANSFER);
    assert.equal(ArrayBuffer.isView(given) ? given.buffer.byteLength : given.byteLength, 0);
    assert.equal((await call).length, 80_000);
  }
});

test('wrong options throw, and leave the bytes', async (t) => {
  const errors = [];
  const { client } = await peersFor(t).trio((_data, reply) => {
    const part = bytes(MB);
    for (const wrong of [{ transfer: 1 }, { transfre: true }, { transfer: 'yes' }]) {
      for (const method of ['write', 'end']) {
        try {
          reply[method](part, wrong);
        } catch (error) {
          errors.push(error);
        }
      }
    }
    reply.write('with an encoding', 'utf8');
    reply.write('without', { transfer: null }, () => {});
    reply.end(part.length, {});
  });
  const { partials, final } = await ask(client, null);
  assert.deepEqual(final, [null, MB]);
  assert.equal(partials.length, 2);
  assert.equal(errors.length, 6);
  assert.ok(errors.every((error) => error instanceof TypeError));
  assert.match(errors[2].message, /unknown option "transfre"; did you mean "transfer"/);
  const data = bytes(MB);
  for (const opts of [{ transfer: 1 }, { transfer: true, timeout: 'x' }, { transfer: true, priority: 10 }]) {
    assert.throws(() => client.requestStream(SERVICE, data, opts), /option "(transfer|timeout|priority)"/);
  }
  assert.throws(() => client.callAll(SERVICE, data, TRANSFER), TypeError);
  assert.equal(data.length, MB);
  await client.call(SERVICE, data, { transfer: false });
  assert.equal(data.length, MB);
});

test('a call that throws leaves the bytes', async (t) => {
  const { client } = await peersFor(t).trio();
  const data = bytes(MB);
  const wrong = [
    (message) => {
      message.headers = { wrong: 1n };
    },
    (message) => {
      message.headers = { long: 'x'.repeat(65 * KB) };
    },
    (message) => {
      message.run = () => {
        throw new TypeError('not today');
      };
    },
  ];
  for (const change of wrong) {
    subscribe('tracing:zmq-omdp.request:start', change);
    t.after(() => unsubscribe('tracing:zmq-omdp.request:start', change));
    assert.throws(() => client.requestStream(SERVICE, data, TRANSFER));
    await assert.rejects(client.call(SERVICE, data, TRANSFER));
    unsubscribe('tracing:zmq-omdp.request:start', change);
    assert.equal(data.length, MB);
  }
  const traced = () => {};
  subscribe('tracing:zmq-omdp.request:start', traced);
  t.after(() => unsubscribe('tracing:zmq-omdp.request:start', traced));
  same(await client.call(SERVICE, data, TRANSFER), bytes(MB));
  assert.equal(data.length, 0);
});

test('a part that is written after the end stays', async (t) => {
  const late = bytes(MB);
  let error;
  const { client } = await peersFor(t).trio((_data, reply) => {
    reply.on('error', (reason) => {
      error = reason;
    });
    reply.end('over');
    reply.write(late, TRANSFER);
  });
  assert.equal(await client.call(SERVICE), 'over');
  while (error === undefined) await new Promise(setImmediate);
  assert.equal(error.code, 'ERR_STREAM_WRITE_AFTER_END');
  assert.equal(late.length, MB);
});

test('bytes that were given away cannot be sent', async (t) => {
  const gone = {
    name: 'TypeError',
    message: 'cannot be sent: its ArrayBuffer is detached, its memory was given away',
  };
  const errors = [];
  const { client } = await peersFor(t).trio((data, reply) => {
    if (data !== 'reply') return reply.end(data);
    const part = bytes(MB);
    reply.write(part, TRANSFER);
    for (const send of [() => reply.write(part), () => reply.end(part, TRANSFER), () => reply.error(part)]) {
      try {
        send();
      } catch (error) {
        errors.push(error);
      }
    }
    reply.end('over');
  });
  const buffer = new ArrayBuffer(80_000);
  const views = [buffer, Buffer.from(buffer), new DataView(buffer), new Float64Array(buffer)];
  await client.call(SERVICE, views[1], TRANSFER);
  for (const each of views) {
    for (const options of [{}, TRANSFER]) {
      assert.throws(() => client.requestStream(SERVICE, each, options), gone);
      await assert.rejects(client.call(SERVICE, each, options), gone);
    }
  }
  const { final } = await ask(client, 'reply');
  assert.equal(final[1], 'over');
  assert.equal(errors.length, 3);
  for (const error of errors)
    assert.throws(() => {
      throw error;
    }, gone);
  for (const empty of [
    new Uint8Array(0),
    bytes(10).subarray(3, 3),
    new ArrayBuffer(0),
    new Uint8Array(new SharedArrayBuffer(0)),
  ]) {
    assert.equal((await client.call(SERVICE, empty, TRANSFER)).length, 0);
  }
});

/** Runs in the child: gives away 1 GB; tells what the process took at most. */
async function program({ omdp, say, endpoint, service }) {
  const client = new omdp.Client(endpoint);
  await client.start();
  let most = 0;
  const collected = { count: 0 };
  const registry = new FinalizationRegistry(() => {
    collected.count += 1;
  });
  for (let i = 0; i < 100; i += 1) {
    const given = Buffer.alloc(10 * 2 ** 20, i);
    registry.register(given, i);
    const length = await client.call(service, given, { transfer: true });
    if (length !== 10 * 2 ** 20) throw new Error('not what was sent');
    most = Math.max(most, process.memoryUsage().rss);
  }
  for (let i = 0; i < 50 && collected.count < 99; i += 1) {
    global.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  say('took', { most, collected: collected.count, left: process.memoryUsage().arrayBuffers });
  // In the middle of a request.
  client.call(service, Buffer.alloc(10 * 2 ** 20), { transfer: true });
  process.exit(0);
}

test('the memory is released', async (t) => {
  const peers = peersFor(t, 'tcp');
  await start(
    peers.broker(),
    peers.worker((data, reply) => reply.end(data.length)),
  );
  const child = runChild(
    t,
    program,
    { endpoint: peers.endpoint, service: SERVICE },
    { nodeArgs: ['--expose-gc'] },
  );
  const { value } = await child.said('took');
  assert.ok(value.most < 250 * MB, `${value.most / MB} MB`);
  assert.ok(value.collected >= 99, `${value.collected} of 100`);
  assert.ok(value.left < 15 * MB, `${value.left / MB} MB`);
  assert.equal((await child.ended).code, 0);
});

test('a thread may end while they are sent', async (t) => {
  const peers = peersFor(t, 'tcp');
  const got = [];
  await start(
    peers.broker(),
    peers.worker((data, reply) => {
      got.push(data);
      reply.end();
    }),
  );
  const inThread = async ({ omdp, service, endpoint, how }) => {
    const client = new omdp.Client(endpoint);
    await client.start();
    for (let i = 0; i < 8; i += 1) {
      client.request(service, Buffer.alloc(4 * 2 ** 20, 9), { transfer: true }).on('error', () => {});
    }
    if (how === 'exit') process.exit(0);
    require('node:worker_threads').parentPort.postMessage('sent');
    setInterval(() => {}, 1000);
  };
  await endThreads(t, inThread, { endpoint: peers.endpoint, service: SERVICE });
  assert.ok(got.length > 0);
  for (const each of got) same(each, Buffer.alloc(4 * MB, 9));
});
