'use strict';
// What request() calls back with, and what call() resolves or rejects with.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { SERVICE, peersFor } = require('../support/peers');

const numbers = (count) => Array.from({ length: count }, (_, i) => i);

describe('callbacks of request()', () => {
  const twoPartials = (data, reply) => {
    reply.write('one');
    reply.write('two');
    reply.end('three');
  };
  const calls = async (t, makePartialCb) => {
    const { client } = await peersFor(t).trio(twoPartials);
    const log = [];
    await new Promise((resolve) => {
      client.request(SERVICE, 1, makePartialCb(log), (...args) => {
        log.push(['final', ...args]);
        resolve();
      });
    });
    return log;
  };

  test('a partial callback with two parameters gets (null, data)', async (t) => {
    const log = await calls(t, (to) => (err, data) => to.push([err, data]));
    assert.deepEqual(log, [
      [null, 'one'],
      [null, 'two'],
      ['final', null, 'three'],
    ]);
  });

  test('one with exactly one parameter gets the data alone', async (t) => {
    const log = await calls(t, (to) => (data) => to.push(data));
    assert.deepEqual(log, ['one', 'two', ['final', null, 'three']]);
  });

  test('one with none, or with rest parameters, gets (null, data)', async (t) => {
    const log = await calls(
      t,
      (to) =>
        (...args) =>
          to.push(args),
    );
    assert.deepEqual(log, [
      [null, 'one'],
      [null, 'two'],
      ['final', null, 'three'],
    ]);
  });

  test('each may be left out, as undefined or null', async (t) => {
    const { client } = await peersFor(t).trio(twoPartials);
    for (const nothing of [undefined, null]) {
      await once(client.request(SERVICE, 1, nothing, nothing), 'end');
      await new Promise((resolve) => client.request(SERVICE, 1, nothing, resolve));
    }
    await once(client.request(SERVICE, 1), 'end');
  });

  test('one that throws is an uncaught exception, and keeps nobody else from their replies', async (t) => {
    const { client } = await peersFor(t).trio(twoPartials, { worker: { concurrency: -1 } });
    const thrown = [];
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    t.after(() => {
      process.removeAllListeners('uncaughtException');
      for (const listener of others) process.on('uncaughtException', listener);
    });
    const allCame = new Promise((resolve) => {
      process.on('uncaughtException', (error) => {
        if (thrown.push(error.message) === 30) resolve();
      });
    });
    const finals = await Promise.all(
      numbers(10).map(
        (i) =>
          new Promise((resolve) => {
            const fail = () => {
              throw new Error(`partial ${i}`);
            };
            client.request(SERVICE, i, fail, (err, data) => {
              resolve(data);
              throw new Error(`final ${i}`);
            });
          }),
      ),
    );
    await allCame;
    assert.deepEqual(finals, Array(10).fill('three'));
    assert.equal(thrown.filter((message) => message.startsWith('final')).length, 10);
  });
});

describe('call()', () => {
  test('gives the data of the final; partials are passed over', async (t) => {
    const { client } = await peersFor(t).trio((data, reply) => {
      reply.write('part');
      reply.end({ data });
    });
    assert.deepEqual(await client.call(SERVICE, 7), { data: 7 });
    assert.deepEqual(await client.call(SERVICE), { data: null });
  });

  test('rejects with an OmdpError for a code of ours', async (t) => {
    const { OmdpError } = require('../..');
    const client = peersFor(t).client();
    const rejects = assert.rejects(client.call(SERVICE, 1), (error) => {
      assert.ok(error instanceof OmdpError && error instanceof Error);
      assert.equal(error.name, 'OmdpError');
      assert.equal(error.code, 'C_STOPPED');
      assert.ok(error.message.length > 10);
      return true;
    });
    await client.start();
    await client.stop();
    await rejects;
  });

  test("rejects with a RemoteError for the worker's error value", async (t) => {
    const { RemoteError } = require('../..');
    const { client } = await peersFor(t).trio((data, reply) => reply.error(data));
    const VALUES = [
      ['E_TEXT', 'E_TEXT', undefined],
      [{ message: 'words', code: 'E_CODE', more: [1] }, 'words', 'E_CODE'],
      [{ code: 42 }, undefined, undefined],
      [0, undefined, undefined],
      [null, undefined, undefined],
    ];
    for (const [value, message, code] of VALUES) {
      await assert.rejects(client.call(SERVICE, value), (error) => {
        assert.ok(error instanceof RemoteError && error instanceof Error);
        assert.deepEqual(error.value, value);
        if (message !== undefined) assert.equal(error.message, message);
        assert.equal(error.code, code);
        return true;
      });
    }
  });
});
