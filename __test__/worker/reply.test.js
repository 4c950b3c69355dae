'use strict';
// What a reply sends: partials, and one end.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { describe, test } = require('node:test');
const { TRANSPORTS } = require('../support/endpoints');
const { deferred } = require('../support/events');
const { SERVICE, ask, peersFor } = require('../support/peers');
const { reply } = require('../support/reply');

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
