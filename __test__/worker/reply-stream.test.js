'use strict';
// A reply as a stream of Node's.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Readable, Writable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { deferred, record } = require('../support/events');
const { ask, peersFor } = require('../support/peers');
const { reply } = require('../support/reply');

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
