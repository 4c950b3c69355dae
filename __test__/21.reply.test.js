'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { Readable, Writable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { TRANSPORTS } = require('./support/endpoints');
const { deferred, record } = require('./support/events');
const { SERVICE, ask, peersFor } = require('./support/peers');

/** Has one request handled by `handler`; gives what the client's callbacks got. */
async function reply(t, handler, conf) {
  const { client } = await peersFor(t).trio((data, answer, opts) => handler(answer, data, opts), conf);
  return ask(client, 'data');
}

for (const transport of TRANSPORTS) {
  describe(`a reply over ${transport}`, () => {
    test('500 partials arrive in order, and the final after them', async (t) => {
      const { client } = await peersFor(t, transport).trio((count, answer) => {
        for (let i = 0; i < count; i += 1) answer.write({ i });
        answer.end('end');
      });
      const { partials, final } = await ask(client, 500);
      assert.deepEqual(
        partials,
        Array.from({ length: 500 }, (_, i) => [null, { i }]),
      );
      assert.deepEqual(final, [null, 'end']);
    });

    test('a file piped into it arrives whole', async (t) => {
      const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-file-')), 'file');
      t.after(() => fs.rmSync(path.dirname(file), { recursive: true }));
      const content = Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => (i * 31 + (i >> 8)) & 255));
      fs.writeFileSync(file, content);
      const { client } = await peersFor(t, transport).trio((name, answer) => {
        fs.createReadStream(name).pipe(answer);
      });
      const parts = [];
      for await (const part of client.requestStream(SERVICE, file)) if (part !== null) parts.push(part);
      assert.ok(parts.length > 1, 'in parts');
      assert.ok(Buffer.concat(parts).equals(content));
    });
  });
}

test('end(data) is the final; partials are not repeated in it', async (t) => {
  const result = await reply(t, (answer) => {
    answer.write('one');
    answer.write('two');
    answer.end('three');
  });
  assert.deepEqual(result, {
    partials: [
      [null, 'one'],
      [null, 'two'],
    ],
    final: [null, 'three'],
  });
});

test('end() without data ends the request with null', async (t) => {
  const { client } = await peersFor(t).trio((data, answer) => answer.end());
  assert.deepEqual((await ask(client, 1)).final, [null, null]);
  assert.equal(await client.call(SERVICE, 1), null, 'and the worker takes the next');
});

test('end(undefined) and end(null) end it with null', async (t) => {
  for (const data of [undefined, null]) {
    assert.deepEqual((await reply(t, (answer) => answer.end(data))).final, [null, null]);
  }
});

test('write(null) and write(undefined) send null', async (t) => {
  const { partials, final } = await reply(t, (answer) => {
    answer.write(null);
    answer.write(undefined);
    answer.write(0);
    answer.end('end');
  });
  assert.deepEqual(partials, [
    [null, null],
    [null, null],
    [null, 0],
  ]);
  assert.deepEqual(final, [null, 'end']);
});

describe('error()', () => {
  const VALUES = {
    'a string': ['E_MINE', 'E_MINE'],
    undefined: [undefined, null],
    'no argument': [undefined, null],
    0: [0, 0],
    null: [null, null],
    false: [false, false],
    'the empty string': ['', ''],
    'an object': [
      { code: 1, why: ['so'] },
      { code: 1, why: ['so'] },
    ],
    "a string that is one of the package's own codes": ['C_TIMEOUT', 'C_TIMEOUT'],
  };
  for (const [name, [value, expected]] of Object.entries(VALUES)) {
    test(`of ${name} is that very value at the client, and an error`, async (t) => {
      const { client } = await peersFor(t).trio((data, answer) =>
        name === 'no argument' ? answer.error() : answer.error(value),
      );
      assert.deepEqual(await ask(client, 1), { partials: [], final: [expected] });
      await assert.rejects(client.call(SERVICE, 1), (error) => {
        assert.equal(error.name, 'RemoteError');
        assert.deepEqual(error.value, expected);
        return true;
      });
    });
  }

  test('of an Error is its message, name and code, without the stack', async (t) => {
    const error = Object.assign(new RangeError('too far'), { code: 'E_FAR', detail: 'kept here' });
    const { final } = await reply(t, (answer) => answer.error(error));
    assert.deepEqual(final, [{ message: 'too far', name: 'RangeError', code: 'E_FAR' }]);
  });

  test('comes after the partials', async (t) => {
    const { partials, final } = await reply(t, (answer) => {
      answer.write('part');
      answer.error('broken');
    });
    assert.deepEqual(partials, [[null, 'part']]);
    assert.deepEqual(final, ['broken']);
  });

  test('leaves the worker free for the next request', async (t) => {
    const { client } = await peersFor(t).trio((data, answer) =>
      data === 1 ? answer.error('no') : answer.end('yes'),
    );
    const [first, second] = await Promise.all([ask(client, 1), ask(client, 2)]);
    assert.deepEqual(first.final, ['no']);
    assert.deepEqual(second.final, [null, 'yes']);
  });
});

describe('only the first end counts:', () => {
  const ENDS = {
    'end, end': (answer) => answer.end('first').end('second'),
    'end, error': (answer) => answer.end('first').error('second'),
    'end, destroy': (answer) => answer.end('first').destroy(),
    'end with a callback, destroy': (answer) => answer.end('first', () => {}).destroy(),
  };
  for (const [name, act] of Object.entries(ENDS)) {
    test(name, async (t) => {
      assert.deepEqual((await reply(t, act)).final, [null, 'first']);
    });
  }

  test('error, then anything', async (t) => {
    const { final } = await reply(t, (answer) => {
      answer.on('error', () => {});
      answer.error('first');
      answer.error('second');
      answer.end('third');
      answer.destroy(new Error('fourth'));
    });
    assert.deepEqual(final, ['first']);
  });

  test('write() after the end is an error of the stream, as on any Writable', async (t) => {
    const written = deferred();
    const { partials, final } = await reply(t, (answer) => {
      answer.on('error', () => {});
      answer.end('end');
      answer.write('late', written.resolve);
    });
    assert.deepEqual(partials, []);
    assert.deepEqual(final, [null, 'end']);
    assert.equal((await written.promise).code, 'ERR_STREAM_WRITE_AFTER_END');
  });
});

describe('destroy()', () => {
  test('with an error ends the request with that error', async (t) => {
    const { final } = await reply(t, (answer) =>
      answer.destroy(Object.assign(new Error('gone'), { code: 'E_GONE' })),
    );
    assert.deepEqual(final, [{ message: 'gone', name: 'Error', code: 'E_GONE' }]);
  });

  test('without one ends it with a code that says so', async (t) => {
    const { final } = await reply(t, (answer) => answer.destroy());
    assert.equal(final[0].code, 'W_DESTROYED');
  });

  test('a source that fails in pipeline() ends the request with its error', async (t) => {
    const { partials, final } = await reply(t, (answer) => {
      async function* source() {
        yield 'part';
        throw Object.assign(new Error('dry'), { code: 'E_DRY' });
      }
      pipeline(Readable.from(source()), answer).catch(() => {});
    });
    assert.deepEqual(partials, [[null, 'part']]);
    assert.deepEqual(final, [{ message: 'dry', name: 'Error', code: 'E_DRY' }]);
  });
});

describe('as a Writable', () => {
  test('it is one, in object mode', async (t) => {
    const { final } = await reply(t, (answer) => {
      answer.end([answer instanceof Writable, answer.writableObjectMode, answer.writable]);
    });
    assert.deepEqual(final, [null, [true, true, true]]);
  });

  test('finish and close come, in this order, when it is ended', async (t) => {
    const log = deferred();
    await reply(t, (answer) => {
      const events = record(answer, ['finish', 'close', 'error']);
      answer.on('close', () => log.resolve(events));
      answer.write('part');
      answer.end('end');
    });
    assert.deepEqual(await log.promise, ['finish', 'close']);
  });

  test('listeners that are added after the end hear of it too', async (t) => {
    const log = deferred();
    await reply(t, (answer) => {
      answer.end('end');
      const events = record(answer, ['finish', 'close']);
      answer.on('close', () => log.resolve(events));
    });
    assert.deepEqual(await log.promise, ['finish', 'close']);
  });

  test('callbacks of write() and end() are called, in order', async (t) => {
    const log = [];
    const done = deferred();
    await reply(t, (answer) => {
      answer.write('a', () => log.push('a'));
      answer.write('b', 'utf8', () => log.push('b'));
      answer.end('c', () => {
        log.push('c');
        done.resolve();
      });
    });
    await done.promise;
    assert.deepEqual(log, ['a', 'b', 'c']);
  });

  test('cork() and uncork() change nothing of what arrives', async (t) => {
    const { partials, final } = await reply(t, (answer) => {
      answer.cork();
      answer.write(1);
      answer.write(2);
      answer.uncork();
      answer.write(3);
      answer.end(4);
    });
    assert.deepEqual(
      partials.map(([, data]) => data),
      [1, 2, 3],
    );
    assert.deepEqual(final, [null, 4]);
  });

  test('pipeline() from an async generator', async (t) => {
    const { partials, final } = await reply(t, (answer) =>
      pipeline(async function* numbers() {
        for (let i = 0; i < 50; i += 1) yield i;
      }, answer),
    );
    assert.deepEqual(
      partials.map(([, data]) => data),
      [...Array(50).keys()],
    );
    assert.deepEqual(final, [null, null]);
  });

  test('an error event that nobody listens to does not end the process', async (t) => {
    const { client } = await peersFor(t).trio((data, answer) => {
      answer.write('x');
      answer.destroy(new Error('nobody listens'));
    });
    await ask(client, 1);
    await ask(client, 2);
  });
});

describe('active(), ended and signal', () => {
  test('while it runs, and after its end', async (t) => {
    const states = [];
    const look = (answer) => states.push([answer.active(), answer.ended, answer.signal.aborted]);
    await reply(t, (answer) => {
      look(answer);
      answer.write('part');
      look(answer);
      answer.end();
      look(answer);
    });
    assert.deepEqual(states, [
      [true, false, false],
      [true, false, false],
      [false, true, false],
    ]);
  });

  test('it stays active while the client waits, over many of the worker’s heartbeats, without any call', async (t) => {
    const running = deferred();
    // Beats are many and small, and the others' patience with them large.
    const conf = { heartbeat: 20, liveness: 50 };
    const { client } = await peersFor(t).trio((data, answer) => running.resolve(answer), {
      broker: conf,
      worker: conf,
      client: conf,
    });
    const asked = ask(client, 1);
    const answer = await running.promise;
    // In 0.0.92 it ended with the third; here the client's own timers count them out.
    for (let beat = 0; beat < 12; beat += 1) {
      await new Promise((resolve) => setTimeout(resolve, conf.heartbeat));
      assert.equal(answer.active(), true);
    }
    answer.end('after all');
    assert.deepEqual((await asked).final, [null, 'after all']);
  });

  test('heartbeat() may be called at any time', async (t) => {
    const { partials, final } = await reply(t, (answer) => {
      answer.heartbeat();
      answer.write(1);
      answer.heartbeat();
      answer.end(2);
      answer.heartbeat();
    });
    assert.deepEqual([partials, final], [[[null, 1]], [null, 2]]);
  });

  const WAYS = {
    'its client timed out': { opts: { timeout: 250 }, code: 'C_TIMEOUT' },
    'its client gave up': { act: ({ controller }) => controller.abort(), code: 'C_ABORTED' },
    'its client destroyed the stream': { act: ({ stream }) => stream.destroy(), code: 'C_ABORTED' },
    'its client was stopped': { act: ({ client }) => client.stop(), code: 'C_STOPPED' },
    'the broker was stopped': { act: ({ broker }) => broker.stop(), code: 'B_LOST' },
  };
  for (const [why, { opts, act, code }] of Object.entries(WAYS)) {
    test(`when ${why} it turns inactive, and its signal aborts`, async (t) => {
      const running = deferred();
      const { broker, client } = await peersFor(t).trio((data, answer) => {
        assert.equal(answer.active(), true);
        running.resolve({ answer, aborted: once(answer.signal, 'abort') });
      });
      const controller = new AbortController();
      const done = deferred();
      const make = () =>
        client.request(
          SERVICE,
          1,
          null,
          // One that timed out before the worker had it is made again.
          (end) => (running.isSettled ? done.resolve(end) : make()),
          { signal: controller.signal, ...opts },
        );
      const stream = make();
      const { answer, aborted } = await running.promise;
      const { signal } = answer;
      await act?.({ broker, client, controller, stream });
      assert.equal(await done.promise, code);
      await aborted;
      assert.equal(answer.active(), false);
      assert.equal(answer.ended, false);
      assert.equal(signal.reason.name, 'OmdpError');
      // Discarded, but not in vain: it is how the worker becomes free.
      answer.write('nobody reads this');
      answer.end('nobody reads this');
      assert.equal(answer.ended, true);
    });
  }

  test('a worker whose reply was cancelled takes the next request when its handler ends', async (t) => {
    const arrived = [deferred(), deferred()];
    let count = 0;
    const { client } = await peersFor(t).trio((data, answer) => {
      arrived[count].resolve({ answer, aborted: once(answer.signal, 'abort') });
      count += 1;
    });
    const controller = new AbortController();
    const first = assert.rejects(client.call(SERVICE, 1, { signal: controller.signal }), {
      code: 'C_ABORTED',
    });
    const { answer, aborted } = await arrived[0].promise;
    controller.abort();
    await Promise.all([first, aborted]);
    const second = client.call(SERVICE, 2);
    answer.end('too late');
    (await arrived[1].promise).answer.end('in time');
    assert.equal(await second, 'in time');
  });

  test('an async handler that returns without ending a cancelled reply does not keep its place', async (t) => {
    const arrived = deferred();
    const { client } = await peersFor(t).trio(async (data, answer) => {
      if (data === 2) return answer.end('second');
      const aborted = once(answer.signal, 'abort');
      arrived.resolve();
      await aborted;
      return undefined;
    });
    const controller = new AbortController();
    const first = assert.rejects(client.call(SERVICE, 1, { signal: controller.signal }), {
      code: 'C_ABORTED',
    });
    await arrived.promise;
    controller.abort();
    await first;
    assert.equal(await client.call(SERVICE, 2), 'second');
  });
});
