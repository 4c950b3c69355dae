'use strict';
// The stack of an error names the code of the application that waited, in every role; and the error has what is known of
// its request.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { Readable, Writable } = require('node:stream');
const { finished, pipeline } = require('node:stream/promises');
const { describe, test } = require('node:test');
const { OmdpError, RemoteError } = require('../..');
const { deferred } = require('../support/events');
const { SERVICE, peersFor } = require('../support/peers');

const sink = () => new Writable({ objectMode: true, write: (_chunk, _encoding, done) => done() });

/** Fails `use`, and returns the error. Its stack must have the functions that wait for it, and no others. */
async function failed(use) {
  async function waiting() {
    await use();
  }
  const error = await waiting().then(
    () => assert.fail('no error'),
    (error) => error,
  );
  const [first, ...frames] = error.stack.split('\n');
  assert.equal(first, `${error.name}: ${error.message}`);
  assert.match(error.stack, /\bwaiting \(/);
  for (const frame of frames) assert.match(frame, /^ {4}at /);
  return error;
}

/** Uses of a stream, each of which fails when it fails. */
const USES = {
  'pipeline()': (stream) => pipeline(stream, sink()),
  'pipeline() with a function': (stream) =>
    pipeline(stream, async (parts) => {
      for await (const _ of parts);
    }),
  'finished()': (stream) => finished(stream.resume()),
  'once()': (stream) => once(stream.resume(), 'end'),
  'a loop': async (stream) => {
    for await (const _ of stream);
  },
  'toArray()': (stream) => stream.toArray(),
};

describe('the stack of an error has the frames of who waits for', () => {
  for (const [name, use] of Object.entries(USES)) {
    test(`a reply by ${name}`, async (t) => {
      const { client } = await peersFor(t).trio((_data, reply) => {
        reply.write('a part');
        reply.error({ code: 'E_NO' });
      });
      const remote = await failed(() => use(client.requestStream(SERVICE, 1)));
      assert.ok(remote instanceof RemoteError);
      const own = await failed(() => use(client.requestStream('nobody', 1, { failFast: true })));
      assert.ok(own instanceof OmdpError);
      assert.equal(own.service, 'nobody');
    });

    test(`the data of a request by ${name}`, async (t) => {
      const given = deferred();
      const { client } = await peersFor(t).trio((data) => {
        given.resolve(failed(() => use(data)));
        return given.promise;
      });
      const controller = new AbortController();
      const endless = Readable.from(
        (async function* () {
          yield 'a part';
          controller.abort();
          await new Promise(() => {});
        })(),
      );
      await assert.rejects(client.call(SERVICE, endless, { signal: controller.signal }));
      const { code, service, attempt, elapsed, endpoint } = await given.promise;
      assert.deepEqual({ code, service, attempt }, { code: 'C_ABORTED', service: SERVICE, attempt: 1 });
      assert.ok(elapsed >= 0 && endpoint.startsWith('inproc:'));
    });
  }

  const WRITERS = {
    'pipeline()': (reply) => pipeline(Readable.from(endlessly()), reply),
    'finished()': (reply) => finished(reply),
    "once(…, 'drain')": (reply) => once(reply, 'drain'),
  };
  async function* endlessly() {
    for (;;) yield await new Promise((resolve) => setImmediate(resolve, 'a part'));
  }

  for (const [name, write] of Object.entries(WRITERS)) {
    test(`a reply that is cancelled, by ${name} at the worker`, async (t) => {
      const controller = new AbortController();
      const given = deferred();
      const { client } = await peersFor(t).trio((_data, reply) => {
        given.resolve(failed(() => write(reply)));
        setImmediate(() => controller.abort());
        return given.promise;
      });
      await assert.rejects(client.call(SERVICE, 1, { signal: controller.signal }));
      const { code, service, attempt, endpoint } = await given.promise;
      assert.deepEqual({ code, service, attempt }, { code: 'C_ABORTED', service: SERVICE, attempt: 1 });
      assert.ok(endpoint.startsWith('inproc:'));
    });
  }

  test('a start that fails', async (t) => {
    const peers = peersFor(t, 'tcp');
    await peers.broker().start();
    assert.equal((await failed(() => peers.broker().start())).code, 'EADDRINUSE');
    const tooLong = peersFor(t, 'ipc', `ipc:///tmp/${'long'.repeat(100)}`);
    for (const peer of [tooLong.worker(() => {}), tooLong.client()]) {
      assert.equal((await failed(() => peer.start())).code, 'ENAMETOOLONG');
    }
  });
});

test('Error.stackTraceLimit is observed, and kept', async (t) => {
  const { client } = await peersFor(t).trio((_data, reply) => reply.error(0));
  const before = Error.stackTraceLimit;
  t.after(() => {
    Error.stackTraceLimit = before;
  });
  for (const limit of [0, 1, 3]) {
    Error.stackTraceLimit = limit;
    const stream = client.requestStream(SERVICE, 1);
    const done = finished(stream.resume());
    assert.equal(Error.stackTraceLimit, limit);
    const error = await done.catch((error) => error);
    assert.ok(error.stack.split('\n').length <= 1 + limit, error.stack);
  }
});

test('the errors of ping() and callAll() have what is known of their request', async (t) => {
  const peers = peersFor(t);
  const { client, worker } = await peers.trio((_data, reply) => reply.error({ code: 'E_NO' }));
  await assert.rejects(client.ping('nobody'), ({ code, service, endpoint, elapsed }) => {
    assert.deepEqual([code, service, endpoint], ['W_NONE', 'nobody', peers.endpoint]);
    return elapsed >= 0;
  });
  for await (const { error } of client.callAll(SERVICE, 1)) {
    const { service, worker: name, endpoint, elapsed } = error;
    assert.deepEqual([service, name, endpoint], [SERVICE, worker.name, peers.endpoint]);
    assert.match(error.rid, /^\d+$/);
    assert.ok(elapsed >= 0);
    assert.equal(
      error.message,
      `worker "${worker.name}" of service "service" replied with the error {"code":"E_NO"}`,
    );
  }
});

test('a listener for errors captures no frames, which would cost more than a request', async (t) => {
  const { client } = await peersFor(t).trio((_data, reply) => reply.end(1));
  const stream = client.requestStream(SERVICE, 1);
  const capture = t.mock.method(Error, 'captureStackTrace');
  stream.on('error', () => {});
  assert.equal(capture.mock.callCount(), 0);
  const done = finished(stream.resume());
  assert.notEqual(capture.mock.callCount(), 0);
  await done;
});
