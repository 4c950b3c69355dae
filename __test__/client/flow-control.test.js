'use strict';
// Streams that are written faster than they are read: write() turns false, and true again when they were read.
const assert = require('node:assert/strict');
const { createHash, randomBytes } = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { describe, test } = require('node:test');
const { setImmediate: turn } = require('node:timers/promises');
const { WINDOW } = require('../../lib/flow');
const { TRANSPORTS, freshEndpoint } = require('../support/endpoints');
const { deferred } = require('../support/events');
const { MIB } = require('../support/growth');
const { SERVICE, ask, peersFor, start } = require('../support/peers');

describe('reply.write()', () => {
  /** A reply that nobody reads, and its stream. */
  async function unread(t, transport = 'tcp') {
    const given = deferred();
    const { client, worker } = await peersFor(t, transport).trio((data, reply) => given.resolve(reply));
    const stream = client.requestStream(SERVICE, 1);
    return { reply: await given.promise, stream, client, worker };
  }

  const PART = Buffer.alloc(10_000, 1);

  async function collect(stream) {
    const got = [];
    for await (const part of stream) got.push(part);
    return got;
  }

  for (const transport of TRANSPORTS) {
    test(`turns false when a window is under way, true when it was read; over ${transport}`, async (t) => {
      const { reply, stream } = await unread(t, transport);
      let accepted = 0;
      while (reply.write(PART)) accepted += 1;
      assert.equal(accepted, Math.ceil(WINDOW / (PART.length + 64)));
      assert.equal(reply.writableLength, 1);
      assert.equal(reply.writableNeedDrain, true);
      const drained = once(reply, 'drain');
      const reading = collect(stream);
      await drained;
      assert.equal(reply.writableLength, 0);
      assert.equal(reply.write(PART), true);
      reply.end('end');
      const got = await reading;
      assert.equal(got.length, accepted + 3);
      assert.equal(got.at(-1), 'end');
    });
  }

  test('what waits goes before end() and before error()', async (t) => {
    for (const last of ['end', 'error']) {
      const { reply, stream } = await unread(t);
      for (let i = 0; i < 100; i += 1) reply.write(PART);
      reply[last]('last');
      assert.equal(reply.ended, true);
      let parts = 0;
      const outcome = await (async () => {
        for await (const part of stream) {
          if (part === 'last') return 'end';
          parts += 1;
        }
      })().catch(({ value }) => value === 'last' && 'error');
      assert.equal(outcome, last);
      assert.equal(parts, 100);
    }
  });

  test('destroy() while parts wait is no success', async (t) => {
    const { reply, stream } = await unread(t);
    for (let i = 0; i < 100; i += 1) reply.write(PART);
    reply.end('last');
    reply.destroy();
    await assert.rejects(collect(stream), (error) => error.code === 'W_DESTROYED');
  });

  test('a request that is given up lets go of what waits', async (t) => {
    const { reply, stream, client } = await unread(t);
    while (reply.write(PART));
    const drained = once(reply, 'drain');
    stream.destroy();
    await assert.rejects(drained, { name: 'OmdpError', code: 'C_ABORTED', service: SERVICE, attempt: 1 });
    assert.deepEqual([reply.active(), reply.ended, reply.destroyed], [false, true, true]);
    assert.equal(reply.write(PART), false);
    await assert.rejects(once(reply, 'drain'), { code: 'C_ABORTED' });
    reply.end();
    assert.equal(client.listenerCount('error'), 0);
  });

  test('parts that callbacks take are read; so are those that call() passes over', async (t) => {
    const { client } = await peersFor(t, 'tcp').trio(async (data, reply) => {
      for (let i = 0; i < 200; i += 1) if (!reply.write(PART)) await once(reply, 'drain');
      reply.end('end');
    });
    const { partials, final } = await ask(client, 1);
    assert.equal(partials.length, 200);
    assert.deepEqual(final, [null, 'end']);
    assert.equal(await client.call(SERVICE, 1), 'end');
  });

  test('parts of many small and wide characters are counted alike at both ends', async (t) => {
    const { client } = await peersFor(t, 'tcp').trio(async (data, reply) => {
      for (let i = 0; i < 20_000; i += 1) if (!reply.write(`é€😀${i}`)) await once(reply, 'drain');
      reply.end('end');
    });
    const got = [];
    for await (const part of client.requestStream(SERVICE, 1)) {
      got.push(part);
      if (got.length % 1000 === 0) await turn();
    }
    assert.equal(got.length, 20_001);
    assert.equal(got[19_999], 'é€😀19999');
  });

  test('long strings that JSON escapes are too', async (t) => {
    const { reply, stream } = await unread(t);
    const part = `"${'"\n€'.repeat(2000)}`;
    const write = async () => {
      for (let i = 0; i < 500; i += 1) if (!reply.write(part)) await once(reply, 'drain');
      reply.end('end');
    };
    const written = write();
    const got = await collect(stream);
    await written;
    assert.equal(got.length, 501);
    assert.ok(got.slice(0, -1).every((each) => each === part));
  });

  test('a part of 20 windows passes, and the next one after it', async (t) => {
    const { reply, stream } = await unread(t);
    const huge = Buffer.alloc(20 * WINDOW, 3);
    assert.equal(reply.write(huge), true);
    assert.equal(reply.write(huge), false);
    reply.end(huge);
    const got = await collect(stream);
    assert.deepEqual(
      got.map((part) => part.equals(huge)),
      [true, true, true],
    );
  });

  test('a paused stream stands, a resumed one goes on', async (t) => {
    const { reply, stream } = await unread(t);
    let bytes = 0;
    stream.on('data', (part) => {
      bytes += part.length;
    });
    stream.pause();
    while (reply.write(PART));
    assert.equal(bytes, 0);
    stream.resume();
    await once(reply, 'drain');
    reply.end(PART);
    await once(stream, 'end');
    assert.equal(bytes % PART.length, 0);
    assert.ok(bytes > WINDOW);
  });
});

test('a worker and a client of several brokers give and get credit at each', async (t) => {
  const peers = peersFor(t, 'tcp');
  const endpoints = [peers.endpoint, freshEndpoint('tcp')];
  await start(...endpoints.map((endpoint) => peers.broker(undefined, endpoint)));
  peers.endpoint = endpoints;
  let waits = 0;
  const worker = peers.worker(
    async (data, reply) => {
      for (let i = 0; i < 500; i += 1) {
        if (reply.write(Buffer.alloc(10_000))) continue;
        waits += 1;
        await once(reply, 'drain');
      }
      reply.end('end');
    },
    { concurrency: 4 },
  );
  const client = peers.client();
  await start(worker, client);
  const asked = Array.from({ length: 4 }, () => ask(client, 1));
  for (const { partials, final } of await Promise.all(asked)) {
    assert.equal(partials.length, 500);
    assert.deepEqual(final, [null, 'end']);
  }
  assert.ok(waits > 0);
});

test('a file of 100 MB that is piped into a reply arrives whole', async (t) => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-file-')), 'data');
  t.after(() => fs.rmSync(path.dirname(file), { recursive: true, force: true }));
  const sent = createHash('sha256');
  for (let i = 0; i < 100; i += 1) {
    const block = randomBytes(MIB);
    sent.update(block);
    fs.appendFileSync(file, block);
  }
  const { client } = await peersFor(t, 'tcp').trio((data, reply) => fs.createReadStream(file).pipe(reply));
  const got = createHash('sha256');
  let bytes = 0;
  for await (const part of client.requestStream(SERVICE, 1)) {
    if (part === null) continue;
    got.update(part);
    bytes += part.length;
  }
  assert.equal(bytes, 100 * MIB);
  assert.equal(got.digest('hex'), sent.digest('hex'));
});
