'use strict';
// A worker of 0.0.92 with our broker and our client. That nothing is sent to it that is not of 0.0.92 is checked on
// each message that it receives.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { before, describe, test } = require('node:test');
const { record, until } = require('../support/events');
const { OldWorker } = require('../support/old');
const { SERVICE, ask, heard, peersFor, start, suiteScope } = require('../support/peers');
const { RAW_TRANSPORTS, rawDealer } = require('../support/raw');
const { JSON_VALUES, LONG_STRINGS, arriving } = require('../support/values');

/** Nobody beats unasked, or is lost for not beating. */
const SLOW = { heartbeat: 60_000 };

/** Our broker and client with an old worker that is registered. */
async function cast(t, transport = 'tcp', conf = SLOW) {
  const peers = peersFor(t, transport);
  const [broker, client] = [peers.broker(conf), peers.client(conf)];
  await broker.start();
  await client.start();
  const old = new OldWorker(t, peers.endpoint, { service: SERVICE });
  const ready = once(broker, 'workerReady');
  await old.ready();
  await ready;
  // Until its first heartbeat it may be one of PIGATO, see pigato.test.js.
  await old.heartbeat();
  await old.nextOf('4');
  return { peers, broker, client, old };
}

test('gets no trace context, also before the broker knows that it is not of PIGATO', async (t) => {
  const peers = peersFor(t, 'tcp');
  const [broker, client] = [peers.broker(SLOW), peers.client(SLOW)];
  await start(broker, client);
  const old = new OldWorker(t, peers.endpoint, { service: SERVICE });
  await old.ready();
  const headers = { mine: '1', traceparent: '00-0af7-b7ad-01', tracestate: 'a=b' };
  const call = client.call(SERVICE, 1, { headers });
  const frames = await old.nextOf('2');
  assert.deepEqual(JSON.parse(frames[7]).headers, { mine: '1' });
  await old.send('W', '3', frames[2], frames[3], '0', '2');
  assert.equal(await call, 2);
});

for (const transport of RAW_TRANSPORTS) {
  describe(`an old worker over ${transport}`, () => {
    const scope = suiteScope();
    let client;
    let old;
    before(async () => {
      ({ client, old } = await cast(scope, transport));
    });

    test('gets a request in five frames: W 2 client rid data', async () => {
      const call = client.call(SERVICE, { a: [1, 'ü'] });
      const frames = await old.next();
      assert.equal(frames.length, 5);
      assert.deepEqual(
        [frames[0], frames[1], frames[2], frames[4]],
        ['W', '2', client.name, '{"a":[1,"ü"]}'],
      );
      // It looks at the id as text and sends back what it saw.
      assert.match(frames[3], /^[\x21-\x7e]+$/);
      await old.send('W', '3', frames[2], frames[3], '0', '"answer"');
      assert.equal(await call, 'answer');
    });

    test('its partials arrive in order, 500 of them, and its final after them', async () => {
      const asked = ask(client, 1);
      const request = await old.request();
      for (let i = 0; i < 500; i += 1) await old.partial(request, i);
      await old.final(request, 'end');
      const { partials, final } = await asked;
      assert.deepEqual(
        partials.map(([, data]) => data),
        [...Array(500).keys()],
      );
      assert.deepEqual(final, [null, 'end']);
    });

    for (const [name, value] of [...JSON_VALUES, ...LONG_STRINGS]) {
      test(`echoes ${name}`, async () => {
        const asked = ask(client, value);
        const request = await old.request();
        assert.deepEqual(request.data, arriving(value));
        await old.partial(request, request.data);
        await old.final(request, request.data);
        const expected = arriving(value);
        assert.deepEqual(await asked, { partials: [[null, expected]], final: [null, expected] });
      });
    }

    test('its error values arrive as such', async () => {
      for (const value of ['E_OLD', { code: 1 }, [2], 42, 0, false, null, '', true]) {
        const asked = ask(client, 1);
        await old.error(await old.request(), value);
        assert.deepEqual((await asked).final, [value]);
      }
    });

    test('gets a Buffer as JSON, in the form that 0.0.92 sent; what it sends back stays that', async () => {
      for (const bytes of [Buffer.from([0, 127, 128, 255]), Buffer.alloc(0)]) {
        const call = client.call(SERVICE, bytes);
        const request = await old.request();
        assert.deepEqual(request.data, { type: 'Buffer', data: [...bytes] });
        await old.final(request, request.data);
        assert.deepEqual(await call, { type: 'Buffer', data: [...bytes] });
      }
    });

    test('is given one request at a time, 200 of them that came at once', async () => {
      const calls = Array.from({ length: 200 }, (_, i) => client.call(SERVICE, i));
      for (let i = 0; i < 200; i += 1) {
        const request = await old.request();
        assert.equal(request.data, i);
        // Had it been given another, that would be the answer to the heartbeat's place in the line.
        await old.heartbeat();
        const [, command] = await old.next();
        assert.equal(command, '4');
        await old.final(request, request.data);
      }
      assert.deepEqual(await Promise.all(calls), [...Array(200).keys()]);
    });

    test('what it replies that is no JSON is W_BAD_REPLY at the client, and nothing worse', async () => {
      for (const [command, rest] of [
        ['3', ['0', 'not json']],
        ['6', ['0', '{"a":']],
        ['3', ['not json']],
        ['3', ['0', '']],
        ['3', ['0', Buffer.from([0xff, 0xfe])]],
      ]) {
        const asked = ask(client, 1);
        const { client: to, rid } = await old.request();
        await old.send('W', command, to, rid, ...rest);
        assert.deepEqual((await asked).final, ['W_BAD_REPLY']);
        if (command === '6') await old.final({ client: to, rid }, 'nobody waits');
      }
    });
  });
}

test('is told that its request is still wanted as often as it sends a heartbeat: W 4 client rid', async (t) => {
  const { client, old } = await cast(t);
  await old.heartbeat();
  assert.deepEqual(await old.next(), ['W', '4']);
  const call = client.call(SERVICE, 1);
  const request = await old.request();
  for (let i = 0; i < 5; i += 1) {
    await old.heartbeat();
    assert.deepEqual(await old.next(), ['W', '4', request.client, request.rid]);
  }
  await old.final(request, 'done');
  assert.equal(await call, 'done');
  await old.heartbeat();
  assert.deepEqual(await old.nextOf('4'), ['W', '4']);
});

test('a heartbeat of the stream reaches it at once', async (t) => {
  const { client, old } = await cast(t);
  const stream = client.requestStream(SERVICE, 1);
  const request = await old.request();
  stream.heartbeat();
  assert.deepEqual(await old.next(), ['W', '4', request.client, request.rid]);
  client.heartbeat(stream.rid);
  assert.deepEqual(await old.next(), ['W', '4', request.client, request.rid]);
  await old.final(request, 'done');
  assert.deepEqual(await stream.toArray(), ['done']);
});

test('hears the broker’s heartbeats without asking', async (t) => {
  const { old } = await cast(t, 'tcp', { heartbeat: 50, liveness: 100 });
  for (let i = 0; i < 3; i += 1) assert.deepEqual(await old.next(), ['W', '4']);
});

describe('is lost', () => {
  test('when it is silent for longer than the liveness: DISCONNECT for it, W_LOST for its client', async (t) => {
    const peers = peersFor(t, 'tcp');
    const [broker, client] = [peers.broker({ heartbeat: 50 }), peers.client()];
    await start(broker, client);
    const gone = once(broker, 'workerGone');
    // There before the worker, whose silence begins with its READY.
    const asked = ask(client, 1);
    await heard(client);
    const old = new OldWorker(t, peers.endpoint, { service: SERVICE });
    await old.ready();
    await old.request();
    assert.deepEqual(await old.nextOf('5'), ['W', '5']);
    const [{ reason, lost }] = await gone;
    assert.deepEqual([reason, lost], ['heartbeat lost', 1]);
    assert.deepEqual((await asked).final, ['W_LOST']);
  });

  test('when its connection breaks: W_LOST at once', async (t) => {
    // At once: no heartbeat could have told.
    const { client, old } = await cast(t);
    const asked = ask(client, 1);
    await old.request();
    old.close();
    assert.deepEqual((await asked).final, ['W_LOST']);
  });

  test('when it says DISCONNECT in the middle of a request', async (t) => {
    const { broker, client, old } = await cast(t);
    const gone = once(broker, 'workerGone');
    const asked = ask(client, 1);
    await old.request();
    await old.send('W', '5');
    assert.equal((await gone)[0].reason, 'goodbye');
    assert.deepEqual((await asked).final, ['W_LOST']);
  });

  test('when it says READY again: DISCONNECT, and it starts over', async (t) => {
    const { client, old } = await cast(t);
    await old.ready();
    assert.deepEqual(await old.next(), ['W', '5']);
    await old.ready();
    const call = client.call(SERVICE, 1);
    await old.final(await old.request(), 'again');
    assert.equal(await call, 'again');
  });

  test('when the broker stops: DISCONNECT', async (t) => {
    const { broker, old } = await cast(t);
    await broker.stop();
    assert.deepEqual(await old.next(), ['W', '5']);
  });
});

test('is told to start over when it speaks without being known', async (t) => {
  const { peers } = await cast(t);
  const stranger = new OldWorker(t, peers.endpoint, { service: SERVICE, name: 'W-stranger' });
  for (const frames of [['4'], ['3', 'C', 'r', '0', '1'], ['6', 'C', 'r', '0', '1']]) {
    await stranger.send('W', ...frames);
    assert.deepEqual(await stranger.next(), ['W', '5']);
  }
});

test('an unknown worker’s reply reaches nobody', async (t) => {
  const { peers, client, old } = await cast(t);
  const call = client.call(SERVICE, 1);
  const request = await old.request();
  const intruder = new OldWorker(t, peers.endpoint, { service: SERVICE, name: 'W-intruder' });
  await intruder.final(request, 'forged');
  assert.deepEqual(await intruder.next(), ['W', '5']);
  await intruder.ready();
  await intruder.final(request, 'forged by a registered one');
  await intruder.heartbeat();
  assert.deepEqual(await intruder.next(), ['W', '4']);
  await old.final(request, 'genuine');
  assert.equal(await call, 'genuine');
});

test('is not told that a request was cancelled, for it knows no such thing; it ends it, and is given the next', async (t) => {
  const { client, old } = await cast(t);
  const controller = new AbortController();
  const aborted = ask(client, 'given up', { signal: controller.signal });
  const request = await old.request();
  controller.abort();
  assert.deepEqual((await aborted).final, ['C_ABORTED']);
  await heard(client);
  const next = client.call(SERVICE, 'next');
  await old.partial(request, 'late');
  await old.heartbeat();
  assert.deepEqual(
    await old.next(),
    ['W', '4'],
    'nobody waits for it any more, and it was not given the next yet',
  );
  await old.final(request, 'too late');
  const following = await old.request();
  assert.equal(following.data, 'next');
  await old.final(following, 'done');
  assert.equal(await next, 'done');
});

test('may send back ids as what UTF-8 made of them: the reply still finds a client with a binary identity', async (t) => {
  const { peers, old } = await cast(t);
  for (const identity of [Buffer.from([0xff, 0x80, 0x01, 0xc3]), undefined]) {
    const client = rawDealer(t, peers.endpoint, identity);
    await client.send(['C', '2', SERVICE, Buffer.from([0xfe, 0x31]), '"ping"', '{}']);
    const request = await old.request();
    await old.partial(request, 'part');
    await old.final(request, 'pong');
    const answers = [await client.receive(), await client.receive()].map((frames) => frames.map(String));
    assert.deepEqual(
      answers.map(([header, command, , code, data]) => [header, command, code, data]),
      [
        ['C', '6', '0', '"part"'],
        ['C', '3', '0', '"pong"'],
      ],
    );
  }
});

test('takes turns with a new one', async (t) => {
  const { peers, broker, client, old } = await cast(t);
  await peers.worker((data, reply) => reply.end('new')).start();
  // A worker gets nothing before the client has heard of it.
  await until(async () => (await broker.stats()).services[0].idle === 2);
  const served = [];
  for (let i = 0; i < 4; i += 1) {
    const call = client.call(SERVICE, i);
    if (i % 2 === 0) await old.final(await old.request(), 'old');
    served.push(await call);
  }
  assert.deepEqual(served, ['old', 'new', 'old', 'new']);
});

test('no message of any of this was a bad one', async (t) => {
  const { broker, client, old } = await cast(t);
  const bad = record(broker, ['badMessage']);
  await old.heartbeat();
  const call = client.call(SERVICE, 1);
  const request = await old.request();
  await old.partial(request, 1);
  await old.error(request, 'e');
  await assert.rejects(call);
  await old.send('W', '5');
  await once(broker, 'workerGone');
  assert.deepEqual(bad, []);
});
