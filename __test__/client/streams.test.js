'use strict';
// requestStream(), and the stream that request() returns.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { Readable, Writable } = require('node:stream');
const { finished, pipeline } = require('node:stream/promises');
const { RemoteError } = require('../..');
const { runChild } = require('../support/child');
const { TRANSPORTS } = require('../support/endpoints');
const { deferred, record } = require('../support/events');
const { SERVICE, peersFor, start } = require('../support/peers');

const EVENTS = ['data', 'end', 'error', 'close'];

const parts = (data, reply) => {
  reply.write('one');
  reply.write('two');
  reply.end('three');
};
const ALL = ['one', 'two', 'three'];

const failing = (data, reply) => {
  reply.write('one');
  reply.error(data);
};

/** A Writable that takes objects, and what it got. */
function sink(options) {
  const got = [];
  const stream = new Writable({
    objectMode: true,
    write(chunk, _, done) {
      got.push(chunk);
      setImmediate(done);
    },
    ...options,
  });
  return { stream, got };
}

async function collect(stream) {
  const got = [];
  for await (const part of stream) got.push(part);
  return got;
}

for (const transport of TRANSPORTS) {
  describe(`a stream over ${transport}`, () => {
    test('emits each partial, and last the data of the final', async (t) => {
      const { client } = await peersFor(t, transport).trio(parts);
      const stream = client.requestStream(SERVICE, 1);
      const log = record(stream, EVENTS);
      await once(stream, 'close');
      assert.deepEqual(log, [...ALL.map((each) => ['data', each]), 'end', 'close']);
    });

    test('for await gives them in order, 500 of them', async (t) => {
      const { client } = await peersFor(t, transport).trio((count, reply) => {
        for (let i = 0; i < count; i += 1) reply.write(i);
        reply.end('end');
      });
      assert.deepEqual(await collect(client.requestStream(SERVICE, 500)), [...Array(500).keys(), 'end']);
    });

    test('pipe() and pipeline() into a slow Writable lose nothing', async (t) => {
      const { client } = await peersFor(t, transport).trio((count, reply) => {
        for (let i = 0; i < count; i += 1) reply.write(`${i},`);
        reply.end('end');
      });
      const expected = Array.from({ length: 200 }, (_, i) => `${i},`).concat('end');
      const piped = sink({ highWaterMark: 1 });
      client.requestStream(SERVICE, 200).pipe(piped.stream);
      await once(piped.stream, 'finish');
      assert.deepEqual(piped.got, expected);
      const pipelined = sink({ highWaterMark: 1 });
      await pipeline(client.requestStream(SERVICE, 200), pipelined.stream);
      assert.deepEqual(pipelined.got, expected);
    });
  });
}

test('strings and Buffers can be piped into a stream of bytes, such as process.stdout', async (t) => {
  const { client } = await peersFor(t).trio((data, reply) => {
    reply.write('text ');
    reply.write(Buffer.from('bytes '));
    reply.end('ünd so weiter');
  });
  const bytes = sink({ objectMode: false, decodeStrings: true });
  client.requestStream(SERVICE, 1).pipe(bytes.stream);
  await once(bytes.stream, 'finish');
  assert.equal(Buffer.concat(bytes.got).toString(), 'text bytes ünd so weiter');
});

test('a client that is slow to take them is not robbed of partials, however many wait for it', async (t) => {
  // A ROUTER of 0.0.92 dropped what came past its high water mark of 1000, and nobody was told.
  const COUNT = 20_000;
  const peers = peersFor(t, 'tcp');
  const client = peers.client();
  await start(peers.broker(), client);
  // In a process of its own, for it has to write while this one is busy.
  runChild(
    t,
    async ({ omdp, endpoint, service, count }) => {
      const worker = new omdp.Worker(endpoint, service);
      worker.on('request', (data, reply) => {
        for (let i = 0; i < count; i += 1) reply.write(i);
        reply.end(count);
      });
      await worker.start();
    },
    { endpoint: peers.endpoint, service: SERVICE, count: COUNT },
  );
  const stream = client.requestStream(SERVICE, 1);
  await once(stream, 'readable');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  assert.deepEqual(await stream.toArray(), [...Array(COUNT + 1).keys()]);
});

describe('what request() and requestStream() return', () => {
  test('is the same stream, an objectMode Readable', async (t) => {
    const { client } = await peersFor(t).trio(parts);
    for (const stream of [client.requestStream(SERVICE, 1), client.request(SERVICE, 1)]) {
      assert.ok(stream instanceof Readable);
      assert.equal(stream.readableObjectMode, true);
      assert.equal(typeof stream.rid, 'string');
      assert.equal(typeof stream.heartbeat, 'function');
      assert.deepEqual(await collect(stream), ALL);
      assert.equal(stream.readableEnded, true);
      assert.equal(stream.destroyed, true);
    }
  });

  test('with callbacks it emits the same, beside them', async (t) => {
    const { client } = await peersFor(t).trio(parts);
    const log = [];
    const stream = client.request(
      SERVICE,
      1,
      (data) => log.push(data),
      (err, data) => log.push([err, data]),
    );
    const got = await collect(stream);
    assert.deepEqual(got, ALL);
    assert.deepEqual(log, ['one', 'two', [null, 'three']]);
  });

  test('with callbacks it need not be read: it flows', async (t) => {
    const { client } = await peersFor(t).trio(parts);
    const stream = client.request(SERVICE, 1, () => {});
    await once(stream, 'end');
  });

  test('without callbacks it keeps what arrives until somebody reads', async (t) => {
    const { client } = await peersFor(t).trio(parts);
    const stream = client.requestStream(SERVICE, 1);
    // The worker serves one after the other: once this is answered, the stream's reply is here too.
    await client.call(SERVICE, 2);
    assert.deepEqual(await collect(stream), ALL);
  });

  test('may be read at any pace with read()', async (t) => {
    const { client } = await peersFor(t).trio(parts);
    const stream = client.requestStream(SERVICE, 1);
    const got = [];
    stream.on('readable', () => {
      for (let part = stream.read(); part !== null; part = stream.read()) got.push(part);
    });
    await once(stream, 'end');
    assert.deepEqual(got, ALL);
  });

  test('may be paused and resumed', async (t) => {
    const { client } = await peersFor(t).trio(parts);
    const stream = client.requestStream(SERVICE, 1);
    const got = [];
    stream.on('data', (part) => {
      got.push(part);
      stream.pause();
      setImmediate(() => stream.resume());
    });
    await once(stream, 'end');
    assert.deepEqual(got, ALL);
  });

  test('works with what Node offers for streams', async (t) => {
    const { client } = await peersFor(t).trio(parts);
    assert.deepEqual(await client.requestStream(SERVICE, 1).toArray(), ALL);
    assert.deepEqual(
      await client
        .requestStream(SERVICE, 1)
        .map((part) => part.length)
        .toArray(),
      [3, 3, 5],
    );
    await finished(client.requestStream(SERVICE, 1).resume());
    assert.deepEqual(await collect(Readable.toWeb(client.requestStream(SERVICE, 1))), ALL);
    const { stream, got } = sink();
    await pipeline(
      client.requestStream(SERVICE, 1),
      async function* shout(source) {
        for await (const part of source) yield part.toUpperCase();
      },
      stream,
    );
    assert.deepEqual(got, ['ONE', 'TWO', 'THREE']);
  });

  test('null, which no Readable can carry, is passed over; the callbacks get it', async (t) => {
    const { client } = await peersFor(t).trio((data, reply) => {
      reply.write(null);
      reply.write(1);
      reply.end(null);
    });
    assert.deepEqual(await collect(client.requestStream(SERVICE, 1)), [1]);
    const log = [];
    const stream = client.request(
      SERVICE,
      1,
      (data) => log.push(data),
      (...args) => log.push(args),
    );
    assert.deepEqual(await collect(stream), [1]);
    assert.deepEqual(log, [null, 1, [null, null]]);
  });
});

describe('an error value', () => {
  const VALUES = ['E_TEXT', { message: 'm', code: 'E_X' }, [1], 42, 0, '', false, null];

  test('is the error event of the stream, after what came before it, and end is not emitted', async (t) => {
    const { client } = await peersFor(t).trio(failing);
    for (const value of VALUES) {
      const stream = client.requestStream(SERVICE, value);
      const log = record(stream, ['data', 'end', 'error', 'close']);
      await new Promise((resolve) => stream.on('close', resolve));
      assert.deepEqual(
        log.map((entry) => (typeof entry === 'string' ? entry : entry[0])),
        ['data', 'error', 'close'],
      );
      const [, [, error]] = log;
      assert.ok(error instanceof RemoteError);
      assert.deepEqual(error.value, value);
      assert.equal(error.service, SERVICE);
    }
  });

  test('is the error event itself of a stream with callbacks, and of all streams with errorValues', async (t) => {
    const peers = peersFor(t);
    const { client } = await peers.trio(failing);
    const bare = peers.client({ errorValues: true });
    await bare.start();
    for (const value of VALUES) {
      for (const stream of [
        client.request(SERVICE, value, null, () => {}),
        bare.requestStream(SERVICE, value),
      ]) {
        const log = record(stream, ['error', 'close']);
        stream.resume();
        await new Promise((resolve) => stream.on('close', resolve));
        const [[event, error], last] = log;
        assert.deepEqual([event, last], ['error', 'close']);
        // pipeline() and finished() would take a falsy one for a success.
        if (value) assert.deepEqual(error, value);
        else assert.deepEqual(error.value, value);
      }
    }
  });

  test('that nobody listens to does not end the process', async (t) => {
    const { client } = await peersFor(t).trio(failing);
    for (const value of VALUES) {
      client.requestStream(SERVICE, value);
      client.requestStream(SERVICE, value).on('data', () => {});
      client.request(SERVICE, value);
      client.request(SERVICE, value, () => {});
      client.request(SERVICE, value, null, () => {}).on('close', () => {});
    }
    await assert.rejects(client.call(SERVICE, 'last'), { name: 'RemoteError' });
    await new Promise(setImmediate);
  });

  test('is what for await throws, as a RemoteError, after the parts before it', async (t) => {
    const { client } = await peersFor(t).trio(failing);
    for (const value of VALUES) {
      const got = [];
      await assert.rejects(
        async () => {
          for await (const part of client.requestStream(SERVICE, value)) got.push(part);
        },
        (error) => {
          assert.equal(error.name, 'RemoteError');
          assert.deepEqual(error.value, value);
          return true;
        },
      );
      assert.deepEqual(got, ['one']);
    }
  });

  test('is for the late reader too', async (t) => {
    const { client } = await peersFor(t).trio(failing);
    const streams = VALUES.map((value) => client.requestStream(SERVICE, value));
    await assert.rejects(client.call(SERVICE, 'last'));
    for (const [i, stream] of streams.entries()) {
      const got = [];
      await assert.rejects(
        async () => {
          for await (const part of stream) got.push(part);
        },
        (error) => {
          assert.deepEqual(error.value, VALUES[i]);
          return true;
        },
      );
      assert.deepEqual(got, ['one']);
    }
  });

  test('makes pipeline() and finished() reject with a RemoteError', async (t) => {
    const { client } = await peersFor(t).trio(failing);
    for (const value of VALUES) {
      const isIt = (error) => {
        assert.ok(error instanceof RemoteError);
        assert.deepEqual(error.value, value);
        return true;
      };
      await assert.rejects(pipeline(client.requestStream(SERVICE, value), sink().stream), isIt);
      await assert.rejects(finished(client.requestStream(SERVICE, value).resume()), isIt);
    }
  });

  test('a code is the error event and what for await throws, as an OmdpError', async (t) => {
    const { client } = await peersFor(t).trio(() => {});
    const stream = client.requestStream(SERVICE, 1, { timeout: 20 });
    const [error] = await once(stream, 'error').catch((thrown) => [thrown]);
    assert.deepEqual([error.name, error.code], ['OmdpError', 'C_TIMEOUT']);
    await assert.rejects(collect(client.requestStream(SERVICE, 1, { timeout: 20 })), {
      name: 'OmdpError',
      code: 'C_TIMEOUT',
    });
  });
});

describe('a stream that is given up', () => {
  /** A handler that waits until it is given up. */
  async function patient(t) {
    const given = deferred();
    const { client } = await peersFor(t).trio((data, reply) => {
      reply.write('one');
      reply.write('two');
      given.resolve(reply);
    });
    return { client, given: given.promise };
  }
  const aborted = async (reply) => {
    if (!reply.signal.aborted) await once(reply.signal, 'abort');
    assert.equal(reply.active(), false);
    assert.equal(reply.signal.reason.code, 'C_ABORTED');
  };

  test('by leaving the loop: the worker learns of it', async (t) => {
    const { client, given } = await patient(t);
    for await (const part of client.requestStream(SERVICE, 1)) {
      assert.equal(part, 'one');
      break;
    }
    await aborted(await given);
  });

  test('by destroy(): the worker learns of it, and error is not emitted', async (t) => {
    const { client, given } = await patient(t);
    const stream = client.requestStream(SERVICE, 1);
    const log = record(stream, ['end', 'error', 'close']);
    await once(stream, 'data');
    stream.destroy();
    await once(stream, 'close');
    await aborted(await given);
    assert.deepEqual(log, ['close']);
  });

  test('by destroy(error): that error is emitted', async (t) => {
    const { client, given } = await patient(t);
    const stream = client.requestStream(SERVICE, 1);
    await once(stream, 'data');
    const mine = new Error('mine');
    const failed = new Promise((resolve) => stream.on('error', resolve));
    stream.destroy(mine);
    assert.equal(await failed, mine);
    await aborted(await given);
  });

  test('by destroy() while it is read: the loop throws C_ABORTED', async (t) => {
    const { client, given } = await patient(t);
    const stream = client.requestStream(SERVICE, 1);
    await assert.rejects(
      async () => {
        for await (const part of stream) if (part === 'two') setImmediate(() => stream.destroy());
      },
      { name: 'OmdpError', code: 'C_ABORTED' },
    );
    await aborted(await given);
  });

  test('by a pipeline() whose target fails', async (t) => {
    const { client, given } = await patient(t);
    const broken = new Writable({
      objectMode: true,
      write(chunk, _, done) {
        done(new Error('full'));
      },
    });
    await assert.rejects(pipeline(client.requestStream(SERVICE, 1), broken), { message: 'full' });
    await aborted(await given);
  });
});
