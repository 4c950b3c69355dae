'use strict';
// Streams as the data of requests: from the client's stream to the handler's, with what each end does to the other.
const assert = require('node:assert/strict');
const { createHash, randomBytes } = require('node:crypto');
const { EventEmitter, once } = require('node:events');
const { PassThrough, Readable, Writable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { describe, test } = require('node:test');
const { Client, OmdpError, RemoteError } = require('../..');
const { TRANSPORTS } = require('../support/endpoints');
const { MDP, MdpSocket } = require('../support/mdp');
const { OldBroker, OldWorker } = require('../support/old');
const { SERVICE, ask, heard, peersFor, start } = require('../support/peers');

const MIB = 1024 * 1024;
/** What may be on its way beyond what was read, see PROTOCOL.md. */
const WINDOW = MIB / 2;

/** Reads all of it, and answers with what it was. */
async function collect(data, reply) {
  const parts = [];
  for await (const part of data) parts.push(part);
  reply.end(parts);
}

/** So many Buffers of so many bytes; counts those that were taken. */
function counted(count, size, taken = { count: 0 }) {
  async function* parts() {
    try {
      for (let n = 0; n < count; n += 1) {
        taken.count += 1;
        yield Buffer.alloc(size, n);
      }
      taken.ended = true;
    } finally {
      taken.over = true;
    }
  }
  return [parts(), taken];
}

for (const transport of TRANSPORTS) {
  describe(`over ${transport}`, () => {
    test('every kind of stream and every type of part', async (t) => {
      const { client } = await peersFor(t, transport).trio(collect);
      const values = ['text', '', 7, 0, false, { a: [1] }, 'ü'.repeat(50_000), []];
      const legacy = new EventEmitter();
      Object.assign(legacy, { pause() {}, resume() {}, pipe() {} });
      const sent = client.call(SERVICE, legacy);
      setImmediate(() => {
        for (const value of values) legacy.emit('data', value);
        legacy.emit('end');
      });
      assert.deepEqual(await sent, values);
      for (const stream of [
        Readable.from(values),
        (async function* () {
          yield* values;
        })(),
        new ReadableStream({
          start(controller) {
            for (const value of values) controller.enqueue(value);
            controller.close();
          },
        }),
        Readable.from(values).pipe(new PassThrough({ objectMode: true })),
      ]) {
        assert.deepEqual(await client.call(SERVICE, stream), values);
      }
      assert.deepEqual(await client.call(SERVICE, Readable.from([])), []);
    });

    test('the handler gets a Readable, Buffers are Buffers, and all three ways to ask take streams', async (t) => {
      const bytes = randomBytes(3 * MIB + 17);
      const { client } = await peersFor(t, transport).trio(async (data, reply) => {
        assert.ok(data instanceof Readable);
        assert.equal(data.readableObjectMode, true);
        const hash = createHash('sha256');
        for await (const part of data) hash.update(part);
        reply.end(hash.digest('hex'));
      });
      const expected = createHash('sha256').update(bytes).digest('hex');
      const source = () => Readable.from(bytes, { objectMode: false, highWaterMark: 10_000 });
      assert.equal(await client.call(SERVICE, source()), expected);
      assert.deepEqual((await ask(client, source())).final, [null, expected]);
      assert.deepEqual(await client.requestStream(SERVICE, source()).toArray(), [expected]);
    });

    test('both directions at once', async (t) => {
      const { client } = await peersFor(t, transport).trio((data, reply) => pipeline(data, reply));
      const bytes = randomBytes(4 * MIB);
      const source = Readable.from(bytes, { objectMode: false, highWaterMark: 30_000 });
      const back = [];
      for await (const part of client.requestStream(SERVICE, source)) back.push(part);
      assert.ok(Buffer.concat(back).equals(bytes));
    });

    test('100 MB, of which never more than a window waits', async (t) => {
      const COUNT = 1600;
      const SIZE = 65_536;
      const [parts, taken] = counted(COUNT, SIZE);
      let most = 0;
      const { client } = await peersFor(t, transport).trio(async (data, reply) => {
        let got = 0;
        for await (const part of data) {
          assert.equal(part.length, SIZE);
          assert.equal(part[0], got % 256);
          got += 1;
          most = Math.max(most, taken.count - got);
          if (got % 64 === 0) await new Promise(setImmediate);
        }
        reply.end(got);
      });
      assert.equal(await client.call(SERVICE, parts), COUNT);
      assert.ok(most <= 2 * (WINDOW / SIZE) + 2, `${most} parts ahead`);
    });

    test('a handler that does not read holds the stream back', async (t) => {
      let go;
      const began = new Promise((resolve) => {
        go = resolve;
      });
      let data;
      const { client, worker } = await peersFor(t, transport).trio((stream, reply) => {
        data = stream;
        go(reply);
      });
      const [parts, taken] = counted(1000, 32_768);
      const call = client.call(SERVICE, parts, { timeout: -1 });
      const reply = await began;
      await heard(client);
      assert.equal(taken.count, 0);
      assert.equal(data.read(), null);
      await once(data, 'readable');
      // Whatever is asked for comes; then there is no more, however long one waits for it.
      let before = -1;
      while (before !== taken.count || taken.count < WINDOW / 32_768) {
        before = taken.count;
        await heard(client);
      }
      assert.ok(taken.count <= 2 * (WINDOW / 32_768), `${taken.count}`);
      assert.equal((await worker.stats()).running, 1);
      let got = 0;
      for await (const _ of data) got += 1;
      reply.end(got);
      assert.equal(await call, 1000);
    });

    test('a handler that leaves its loop stops the stream, and the request goes on', async (t) => {
      const { client } = await peersFor(t, transport).trio(async (data, reply) => {
        let got = 0;
        for await (const _ of data) {
          got += 1;
          if (got === 5) break;
        }
        reply.end(got);
      });
      const [parts, taken] = counted(100_000, 1000);
      assert.equal(await client.call(SERVICE, parts), 5);
      assert.equal(taken.over, true);
      assert.equal(taken.ended, undefined);
      const readable = new Readable({ objectMode: true, read() {} });
      for (let n = 0; n < 5; n += 1) readable.push('part');
      assert.equal(await client.call(SERVICE, readable), 5);
      assert.equal(readable.destroyed, true);
    });

    test('an answer before the end of the stream ends the stream', async (t) => {
      const { client } = await peersFor(t, transport).trio((_data, reply) => reply.end('early'));
      const readable = new Readable({ read() {} });
      readable.push('part');
      assert.equal(await client.call(SERVICE, readable), 'early');
      assert.equal(readable.destroyed, true);
    });

    test('a stream that fails cancels the request, and the handler learns of it', async (t) => {
      let ended;
      const { client } = await peersFor(t, transport).trio((data, reply) => {
        ended = collect(data, reply).catch((error) => [error, reply.active(), reply.signal.reason.code]);
      });
      const failure = new Error('the disk is gone');
      const readable = new Readable({ objectMode: true, read() {} });
      readable.push('part');
      const call = client.call(SERVICE, readable);
      while (ended === undefined) await new Promise(setImmediate);
      readable.destroy(failure);
      await assert.rejects(call, (error) => {
        assert.ok(error instanceof OmdpError);
        assert.deepEqual([error.code, error.cause], ['C_ABORTED', failure]);
        return true;
      });
      const [error, active, code] = await ended;
      assert.deepEqual([error.code, active, code], ['C_ABORTED', false, 'C_ABORTED']);
    });

    test('a request that is aborted destroys its stream, and the handler learns of it', async (t) => {
      let ended;
      const { client } = await peersFor(t, transport).trio((data, reply) => {
        ended = collect(data, reply).catch((error) => error.code);
      });
      const readable = new Readable({ objectMode: true, read() {} });
      const aborting = new AbortController();
      const call = client.call(SERVICE, readable, { signal: aborting.signal });
      while (ended === undefined) await new Promise(setImmediate);
      aborting.abort();
      await assert.rejects(call, { code: 'C_ABORTED' });
      assert.equal(readable.destroyed, true);
      assert.equal(await ended, 'C_ABORTED');
      const stream = client.requestStream(SERVICE, new Readable({ objectMode: true, read() {} }));
      stream.destroy();
      assert.equal(await client.call('mmi.service', SERVICE), 200);
    });
  });
}

test('through a broker that is stopped and comes back the stream goes on', async (t) => {
  const peers = peersFor(t, 'tcp');
  const COUNT = 400;
  let got = 0;
  let half;
  const reached = new Promise((resolve) => {
    half = resolve;
  });
  const { broker, client } = await peers.trio(
    async (data, reply) => {
      for await (const part of data) {
        assert.equal(part[0], got % 256);
        got += 1;
        if (got === COUNT / 2) half();
        if (got % 8 === 0) await new Promise(setImmediate);
      }
      reply.end(got);
    },
    { worker: { reconnect: 10 }, client: { reconnect: 10 } },
  );
  const [parts] = counted(COUNT, 30_000);
  const call = client.call(SERVICE, parts, { timeout: -1 });
  await reached;
  await broker.stop();
  await peers.broker().start();
  assert.equal(await call, COUNT);
});

test('a worker that dies ends it with W_LOST, and its stream', async (t) => {
  const { client, worker } = await peersFor(t).trio((data) => data.resume());
  const readable = new Readable({ objectMode: true, read() {} });
  readable.push(1);
  const call = assert.rejects(client.call(SERVICE, readable), { code: 'W_LOST' });
  while (readable.readableLength > 0) await new Promise(setImmediate);
  await worker.stop({ timeout: 0 });
  await call;
  assert.equal(readable.destroyed, true);
});

test('the data of many requests at once do not mix', async (t) => {
  const { client } = await peersFor(t, 'tcp').trio(collect, { worker: { concurrency: 8 } });
  const calls = Array.from({ length: 30 }, (_, id) =>
    client.call(SERVICE, Readable.from(Array.from({ length: 50 }, (_, n) => `${id}/${n}`))),
  );
  for (const [id, parts] of (await Promise.all(calls)).entries()) {
    assert.deepEqual(
      parts,
      Array.from({ length: 50 }, (_, n) => `${id}/${n}`),
    );
  }
});

test('parts that can not be sent cancel the request', async (t) => {
  const { client } = await peersFor(t).trio(collect, { client: { maxMessageSize: 65_536 } });
  async function* of(part) {
    yield 'fine';
    yield part;
  }
  for (const part of [null, undefined, 1n, Buffer.alloc(65_537), Readable.from([])]) {
    await assert.rejects(client.call(SERVICE, of(part)), ({ code, cause }) => {
      assert.equal(code, 'C_ABORTED');
      assert.ok(cause instanceof TypeError || cause instanceof RangeError);
      return true;
    });
  }
  assert.deepEqual(await client.call(SERVICE, of('x')), ['fine', 'x']);
});

test('parts beyond what the other side takes end it with C_TOO_LARGE', async (t) => {
  for (const who of ['broker', 'worker']) {
    const { client } = await peersFor(t, 'tcp').trio(collect, { [who]: { maxMessageSize: 65_536 } });
    const call = client.call(SERVICE, Readable.from(['small', Buffer.alloc(65_537)]));
    await assert.rejects(call, { code: 'C_TOO_LARGE' }, who);
    assert.deepEqual(await client.call(SERVICE, Readable.from(['small'])), ['small']);
  }
});

test('a handler that throws while it reads is the outcome, and the stream is destroyed', async (t) => {
  const { client } = await peersFor(t).trio(async (data) => {
    for await (const _ of data) throw new Error('no');
  });
  const readable = new Readable({ objectMode: true, read() {} });
  readable.push(1);
  await assert.rejects(client.call(SERVICE, readable), (error) => error instanceof RemoteError);
  assert.equal(readable.destroyed, true);
});

test('what makes no sense with a stream is a TypeError at once, and leaves the stream alone', async (t) => {
  const { client } = await peersFor(t).trio();
  const readable = Readable.from(['part']);
  assert.throws(() => client.request(SERVICE, readable, null, null, { retry: 1 }), TypeError);
  await assert.rejects(client.call(SERVICE, readable, { retry: 1 }), TypeError);
  assert.throws(() => client.callAll(SERVICE, readable), TypeError);
  const writable = new Writable({ write() {} });
  await assert.rejects(
    client.call(SERVICE, writable),
    /^TypeError: cannot be sent: a stream that is written to/,
  );
  assert.equal(writable.destroyed, false);
  const mdp = new Client('tcp://127.0.0.1:5555', { protocol: 'mdp/0.2' });
  assert.throws(() => mdp.request(SERVICE, readable), /cannot be sent under mdp\/0.2/);
  assert.equal(readable.destroyed, false);
  assert.deepEqual(await readable.toArray(), ['part']);
});

test('a stream as a member of a value is a TypeError where the value is given, and is left alone', async (t) => {
  const readable = Readable.from(['part']);
  const values = {
    'its member "file"': { name: 'a', file: readable },
    'its element 1': ['a', readable],
    'its member "body"': { body: new Blob(['part']).stream() },
    'its member "parts"': { parts: (async function* parts() {})() },
  };
  const { client } = await peersFor(t).trio(async (name, reply) => {
    if (typeof name !== 'string') await name.toArray();
    for (const method of ['write', 'end']) {
      assert.throws(() => reply[method](values[name]), /^TypeError: cannot be sent: its .* is a stream/);
    }
    reply.end('refused');
  });
  for (const [name, value] of Object.entries(values)) {
    const message = `cannot be sent: ${name} is a stream, which cannot be converted to JSON`;
    assert.throws(() => client.request(SERVICE, value), { name: 'TypeError', message });
    assert.throws(() => client.callAll(SERVICE, value), { name: 'TypeError', message });
    await assert.rejects(client.call(SERVICE, value), { name: 'TypeError', message });
    await assert.rejects(
      client.call(SERVICE, Readable.from([value])),
      (error) => error.cause.message === message,
    );
    assert.equal(await client.call(SERVICE, name), 'refused');
  }
  assert.equal(readable.destroyed, false);
  // What gives its own JSON is no stream, and a getter is code of the application.
  const described = Object.assign(Readable.from([]), { toJSON: () => 'described' });
  assert.throws(
    () =>
      client.request(SERVICE, {
        get broken() {
          throw new Error('mine');
        },
      }),
    /^TypeError: cannot be sent: mine/,
  );
  await assert.rejects(client.call('nobody', { described }, { failFast: true }), { code: 'W_NONE' });
  await assert.rejects(client.call('nobody', { readable, toJSON: () => 1 }, { failFast: true }), {
    code: 'W_NONE',
  });
});

test('a worker of 0.0.92 is never given one', async (t) => {
  const peers = peersFor(t, 'tcp');
  const [broker, client] = [peers.broker(), peers.client()];
  await start(broker, client);
  const registered = once(broker, 'workerReady');
  await new OldWorker(t, peers.endpoint, { service: SERVICE }).ready();
  await registered;
  const readable = Readable.from(['part']);
  await assert.rejects(client.call(SERVICE, readable), { code: 'W_NO_STREAMS' });
  assert.equal(readable.destroyed, true);
});

test('nor one of MDP', async (t) => {
  const peers = peersFor(t, 'tcp');
  const [broker, client] = [peers.broker(), peers.client()];
  await start(broker, client);
  for (const dialect of MDP) {
    const registered = once(broker, 'workerReady');
    const raw = new MdpSocket(t, peers.endpoint, dialect);
    await raw.send(dialect.ready(dialect.name));
    await registered;
    const readable = Readable.from(['part']);
    await assert.rejects(client.call(dialect.name, readable), { code: 'W_NO_STREAMS' });
    assert.equal(readable.destroyed, true);
    // It is still there, and was given nothing.
    const [[address, body]] = await Promise.all([
      raw.receive().then((frames) => frames.slice(-3).filter((frame) => frame !== '')),
      client.request(dialect.name, 'text', undefined, () => {}),
    ]);
    assert.ok(address.length > 0);
    assert.equal(body, 'text');
  }
});

test('nor a broker of 0.0.92', async (t) => {
  const peers = peersFor(t, 'tcp');
  await OldBroker.start(t, peers.endpoint);
  const client = peers.client({ heartbeat: 100 });
  await client.start();
  await assert.rejects(client.call(SERVICE, Readable.from([1])), { code: 'W_NO_STREAMS' });
});

test('it waits for the start of its client, and for a broker', async (t) => {
  const peers = peersFor(t, 'tcp');
  const client = peers.client();
  const call = client.call(SERVICE, Readable.from([1, 2]));
  await client.start();
  const worker = peers.worker(collect);
  await worker.start();
  await peers.broker().start();
  assert.deepEqual(await call, [1, 2]);
});
