'use strict';
// Whether anybody waits for a reply: active(), ended and signal.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { deferred } = require('../support/events');
const { SERVICE, ask, peersFor } = require('../support/peers');
const { reply } = require('../support/reply');

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
    'the broker was stopped': { act: ({ broker }) => broker.stop({ discard: true }), code: 'B_LOST' },
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
