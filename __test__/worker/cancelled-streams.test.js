'use strict';
// What is piped into a reply ends when nobody waits for it any more, as with a response of HTTP.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const fs = require('node:fs');
const { describe, test } = require('node:test');
const { Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { SERVICE, peersFor } = require('../support/peers');

const PART = 'x'.repeat(16 * 1024);

function* endless() {
  for (;;) yield PART;
}

async function* endlessAsync() {
  for (;;) {
    await null;
    yield PART;
  }
}

/** Cancels a request after its first part, and gives what became of its handler. */
async function cancelled(t, handler) {
  const ends = [];
  const { client, worker } = await peersFor(t, 'tcp').trio((data, reply) => {
    if (data === 'after') return reply.end('after');
    const end = handler(reply);
    ends.push(end);
    return end;
  });
  worker.on('error', (error) => assert.fail(error));
  for await (const part of client.requestStream(SERVICE, 'endless')) {
    assert.equal(String(part).slice(0, 1), 'x');
    break;
  }
  // The place is free for the next.
  assert.equal(await client.call(SERVICE, 'after', { timeout: 60_000 }), 'after');
  // Not the promise itself: it would be waited for.
  return { end: ends[0] };
}

describe('after a cancellation', () => {
  test('pipeline() of an endless synchronous source ends', async (t) => {
    let over = false;
    function* source() {
      try {
        yield* endless();
      } finally {
        over = true;
      }
    }
    const { end } = await cancelled(t, (reply) => pipeline(source(), reply).catch((error) => error));
    assert.equal((await end).code, 'C_ABORTED');
    assert.equal(over, true);
  });

  test('pipeline() of an asynchronous source, or of a stream, ends, and the stream is destroyed', async (t) => {
    const { end } = await cancelled(t, (reply) => pipeline(endlessAsync(), reply).catch((error) => error));
    assert.equal((await end).code, 'C_ABORTED');
    const stream = Readable.from(endless());
    const other = await cancelled(t, (reply) => pipeline(stream, reply).catch((error) => error));
    assert.equal((await other.end).code, 'C_ABORTED');
    assert.equal(stream.destroyed, true);
  });

  test('a handler whose pipeline() rejects is no error of the worker', async (t) => {
    const { end } = await cancelled(t, (reply) => pipeline(Readable.from(endless()), reply));
    await assert.rejects(end, { code: 'C_ABORTED' });
  });

  test('a handler that writes and waits for drain is told', async (t) => {
    const { end } = await cancelled(t, async (reply) => {
      for (;;) if (!reply.write(PART)) await once(reply, 'drain');
    });
    await assert.rejects(end, { code: 'C_ABORTED' });
  });

  test('a handler that writes slowly, so that no part has to wait, is told', async (t) => {
    for (const options of [undefined, 'signal']) {
      let returned = false;
      const rows = async function* rows() {
        try {
          for (;;) {
            await new Promise(setImmediate);
            yield 'x';
          }
        } finally {
          returned = true;
        }
      };
      const { end } = await cancelled(t, async (reply) => {
        for await (const row of rows()) {
          const wait = options === undefined ? undefined : { signal: reply.signal };
          if (!reply.write(row)) await once(reply, 'drain', wait);
        }
      });
      await assert.rejects(end, { code: options === undefined ? 'C_ABORTED' : 'ABORT_ERR' });
      assert.equal(returned, true);
    }
  });

  test('what is piped without pipeline() makes room all the same', async (t) => {
    await cancelled(t, (reply) => {
      Readable.from(endless()).pipe(reply);
    });
  });
});

test('a file that is not there is the error of its request', async (t) => {
  const { client } = await peersFor(t).trio((_data, reply) =>
    pipeline(fs.createReadStream('/no/such/file'), reply),
  );
  await assert.rejects(client.call(SERVICE), { name: 'RemoteError', code: 'ENOENT' });
});
