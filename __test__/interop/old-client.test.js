'use strict';
// A client of 0.0.92 with our broker and our worker. That nothing is sent to it that is not of 0.0.92 is checked on
// each message that it receives.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { before, describe, test } = require('node:test');
const { deferred, record } = require('../support/events');
const { OldClient } = require('../support/old');
const { SERVICE, echo, peersFor, start, suiteScope } = require('../support/peers');
const { RAW_TRANSPORTS, rawDealer } = require('../support/raw');
const { JSON_VALUES, LONG_STRINGS, arriving } = require('../support/values');

/** Our broker and worker, and an old client. */
async function cast(t, handler = echo, { transport = 'tcp', broker: brokerConf, worker: workerConf } = {}) {
  const peers = peersFor(t, transport);
  const [broker, worker] = [peers.broker(brokerConf), peers.worker(handler, workerConf)];
  await broker.start();
  await worker.start();
  return { peers, broker, worker, old: new OldClient(t, peers.endpoint) };
}

/** Sends what it gets as a partial and as a final; asked for `{ fail }`, that as an error. */
function mirror(data, reply) {
  if (data !== null && typeof data === 'object' && 'fail' in data) return reply.error(data.fail);
  reply.write(data);
  return reply.end(data);
}

for (const transport of RAW_TRANSPORTS) {
  describe(`an old client over ${transport}`, () => {
    const scope = suiteScope();
    let old;
    before(async () => {
      ({ old } = await cast(scope, mirror, { transport }));
    });

    test('gets partial and final in five frames, an error in four', async () => {
      await old.send('C', '2', SERVICE, 'rid-1', '{"a":1}', '{"timeout":60000}');
      assert.deepEqual(await old.next(), ['C', '6', 'rid-1', '0', '{"a":1}']);
      assert.deepEqual(await old.next(), ['C', '3', 'rid-1', '0', '{"a":1}']);
      await old.send('C', '2', SERVICE, 'rid-2', '{"fail":{"code":"E"}}', '{"timeout":60000}');
      assert.deepEqual(await old.next(), ['C', '3', 'rid-2', '{"code":"E"}']);
    });

    for (const [name, value] of [...JSON_VALUES, ...LONG_STRINGS]) {
      test(`is echoed ${name}`, async () => {
        const expected = arriving(value);
        // A null partial would end the stream of an old client before its final, which kills it: it is left out.
        const partials = expected === null ? [] : [expected];
        assert.deepEqual(await old.ask(SERVICE, expected), { partials, final: expected });
      });
    }

    test('gets error values, and those that it would take for a success as a string', async () => {
      for (const value of ['E_NEW', { message: 'm' }, [1], 42, false, null, '', true, '0']) {
        assert.deepEqual(await old.ask(SERVICE, { fail: value }), { partials: [], error: value });
      }
      for (const zero of [0, -0]) {
        assert.deepEqual(await old.ask(SERVICE, { fail: zero }), { partials: [], error: '0' });
      }
    });

    test('has 200 requests at once answered', async () => {
      const rids = new Map();
      for (let i = 0; i < 200; i += 1) rids.set(await old.request(SERVICE, i), i);
      while (rids.size > 0) {
        const [, command, rid, code, data] = await old.next();
        assert.equal(code, '0');
        assert.equal(data, String(rids.get(rid)));
        if (command === '3') rids.delete(rid);
      }
    });
  });
}

test('500 partials arrive in order', async (t) => {
  const { old } = await cast(t, (count, reply) => {
    for (let i = 0; i < count; i += 1) reply.write({ i });
    reply.end('end');
  });
  const { partials, final } = await old.ask(SERVICE, 500);
  assert.deepEqual(
    partials,
    Array.from({ length: 500 }, (_, i) => ({ i })),
  );
  assert.equal(final, 'end');
});

test('a Buffer of our worker’s arrives as JSON, in the form that 0.0.92 sent', async (t) => {
  const bytes = Buffer.from([0, 127, 128, 255]);
  const { old } = await cast(t, (data, reply) => {
    if (data === 'fail') return reply.error(bytes);
    reply.write(bytes);
    return reply.end(Buffer.alloc(0));
  });
  const form = { type: 'Buffer', data: [...bytes] };
  assert.deepEqual(await old.ask(SERVICE, 1), { partials: [form], final: { type: 'Buffer', data: [] } });
  assert.deepEqual(await old.ask(SERVICE, 'fail'), { partials: [], error: form });
});

test('what it sends as the JSON of a Buffer stays that: our worker can not know which it was', async (t) => {
  const { old } = await cast(t, (data, reply) => reply.end([Buffer.isBuffer(data), data]));
  const form = { type: 'Buffer', data: [1, 2] };
  assert.deepEqual((await old.ask(SERVICE, form)).final, [false, form]);
});

test('end() without data, end(undefined) and error() without a value end its request', async (t) => {
  const { old } = await cast(t, (data, reply) => {
    if (data === 1) reply.end();
    if (data === 2) reply.end(undefined);
    if (data === 3) reply.error();
    if (data === 4) {
      reply.write(null);
      reply.end('after null');
    }
  });
  assert.deepEqual(await old.ask(SERVICE, 1), { partials: [], final: null });
  assert.deepEqual(await old.ask(SERVICE, 2), { partials: [], final: null });
  assert.deepEqual(await old.ask(SERVICE, 3), { partials: [], error: null });
  assert.deepEqual(await old.ask(SERVICE, 4), { partials: [], final: 'after null' });
});

describe('its options', () => {
  test('reach the handler', async (t) => {
    const { old } = await cast(t, (data, reply, opts) => reply.end(opts));
    assert.deepEqual((await old.ask(SERVICE, 1, { timeout: 1234, mine: [1] })).final, {
      timeout: 1234,
      mine: [1],
      attempt: 1,
    });
  });

  test('may be missing, or no object, and then are the defaults', async (t) => {
    const { broker, old } = await cast(t, (data, reply, opts) => reply.end(opts));
    const bad = record(broker, ['badMessage']);
    await old.send('C', '2', SERVICE, 'none', '1');
    assert.deepEqual(await old.next(), ['C', '3', 'none', '0', '{"attempt":1}']);
    // An empty frame would be one of PIGATO.
    for (const [i, opts] of ['[]', 'null', '7', '"text"', '{"timeout":"soon"}'].entries()) {
      await old.send('C', '2', SERVICE, `r${i}`, '1', opts);
      const [, command, rid, code] = await old.next();
      assert.deepEqual([command, rid, code], ['3', `r${i}`, '0'], opts);
    }
    assert.deepEqual(bad, []);
  });

  test('that are no JSON are an error for it, and nothing worse', async (t) => {
    const { old } = await cast(t);
    for (const [i, opts] of ['not json', '{"a":', 'undefined'].entries()) {
      await old.send('C', '2', SERVICE, `r${i}`, '1', opts);
      const [, command, rid, error] = await old.next();
      assert.deepEqual([command, rid, JSON.parse(error).code], ['3', `r${i}`, 'C_BAD_REQUEST']);
    }
    assert.deepEqual(await old.ask(SERVICE, 'goes on'), { partials: [], final: 'goes on' });
  });

  test('timeout: the broker keeps it, and tells C_TIMEOUT', async (t) => {
    const { old } = await cast(t, () => {});
    assert.deepEqual(await old.ask(SERVICE, 1, { timeout: 20 }), { partials: [], error: 'C_TIMEOUT' });
    assert.deepEqual(await old.ask('nobody', 1, { timeout: 20 }), { partials: [], error: 'C_TIMEOUT' });
  });
});

describe('the ends that it is told', () => {
  test('the worker died or left: W_LOST', async (t) => {
    const running = deferred();
    const { worker, old } = await cast(t, running.resolve);
    const asked = old.ask(SERVICE, 1);
    await running.promise;
    await worker.stop({ timeout: 0 });
    assert.deepEqual(await asked, { partials: [], error: 'W_LOST' });
  });

  test('the broker stops: B_LOST, and no DISCONNECT, which it does not know', async (t) => {
    const running = deferred();
    const { broker, old } = await cast(t, running.resolve);
    const asked = old.ask(SERVICE, 1);
    await running.promise;
    const disconnected = old.disconnected();
    await broker.stop();
    assert.deepEqual(await asked, { partials: [], error: 'B_LOST' });
    // What it sent before it has noticed would be lost with the connection.
    await disconnected;
    await broker.start();
    await old.ask('nobody', 1, { timeout: 20 });
  });

  test('the handler failed: message, name and code', async (t) => {
    const { old } = await cast(t, async () => {
      throw Object.assign(new RangeError('far'), { code: 'E_FAR' });
    });
    assert.deepEqual((await old.ask(SERVICE, 1)).error, {
      message: 'far',
      name: 'RangeError',
      code: 'E_FAR',
    });
  });
});

test('its heartbeats, with a request id and without, are taken, and bare ones answered', async (t) => {
  const running = deferred();
  const { broker, old } = await cast(t, (data, reply) => running.resolve(reply), {
    broker: { heartbeat: 10 },
  });
  const bad = record(broker, ['badMessage']);
  await old.send('C', '4');
  const rid = await old.request(SERVICE, 1);
  const reply = await running.promise;
  for (let i = 0; i < 10; i += 1) {
    await old.send('C', '4', rid);
    await old.send('C', '4', 'unknown');
    await old.send('C', '4');
  }
  // Whatever the broker would say to it in its own heartbeats' time comes before this.
  await old.request('nobody', 1, { timeout: 200 });
  assert.equal((await old.next())[3], '"C_TIMEOUT"');
  assert.equal(reply.active(), true);
  reply.end('done');
  assert.deepEqual(await old.next(), ['C', '3', rid, '0', '"done"']);
  assert.deepEqual(bad, []);
});

test('silent for as long as it likes, it keeps its request: 0.0.92 need not send heartbeats', async (t) => {
  const running = deferred();
  const { peers, old } = await cast(t, (data, reply) => running.resolve(reply), {
    broker: { heartbeat: 10 },
  });
  const asked = old.ask(SERVICE, 1);
  const reply = await running.promise;
  const other = new OldClient(t, peers.endpoint, { name: 'C-other' });
  // Six times the liveness, told by the broker itself.
  await other.ask('nobody', 1, { timeout: 180 });
  assert.equal(reply.active(), true);
  reply.end('done');
  assert.deepEqual(await asked, { partials: [], final: 'done' });
});

test('it may come back on a new connection and still get its reply', async (t) => {
  const running = deferred();
  const { peers, old } = await cast(t, (data, reply) => running.resolve(reply));
  const rid = await old.request(SERVICE, 1);
  const reply = await running.promise;
  old.close();
  const again = new OldClient(t, peers.endpoint);
  await again.send('C', '4');
  // It is there once the broker has answered it.
  assert.equal((await again.ask('nobody', 1, { timeout: 20 })).error, 'C_TIMEOUT');
  assert.equal(reply.active(), true);
  reply.end('done');
  assert.deepEqual(await again.next(), ['C', '3', rid, '0', '"done"']);
});

test('gone for good, its requests are cancelled', async (t) => {
  const running = deferred();
  const { old } = await cast(t, (data, reply) => running.resolve(reply), { broker: { heartbeat: 20 } });
  await old.request(SERVICE, 1);
  const reply = await running.promise;
  const aborted = once(reply.signal, 'abort');
  old.close();
  await aborted;
  assert.equal(reply.active(), false);
});

describe('ids of any bytes', () => {
  const IDENTITIES = {
    text: Buffer.from('C-text'),
    'one byte': Buffer.from([1]),
    'bytes that are no UTF-8': Buffer.from([0xff, 0xfe, 0x80, 0xc3, 0x28]),
    '255 bytes': Buffer.alloc(255, 0x80),
    "ZeroMQ's own": undefined,
  };
  for (const [name, identity] of Object.entries(IDENTITIES)) {
    test(`an identity of ${name}`, async (t) => {
      const { peers } = await cast(t);
      const dealer = rawDealer(t, peers.endpoint, identity);
      const rid = Buffer.from([0xfe, 0x00, 0x31]);
      await dealer.send(['C', '2', SERVICE, rid, '"ping"', '{}']);
      const frames = await dealer.receive();
      assert.deepEqual(
        frames.map((frame) => frame.toString('latin1')),
        ['C', '3', rid.toString('latin1'), '0', '"ping"'],
      );
    });
  }

  test('a request id may be used again once it was answered: the broker forgets', async (t) => {
    const { broker, old } = await cast(t);
    const bad = record(broker, ['badMessage']);
    for (let i = 0; i < 100; i += 1) {
      await old.send('C', '2', SERVICE, 'same', String(i), '{}');
      assert.deepEqual(await old.next(), ['C', '3', 'same', '0', String(i)]);
    }
    for (let i = 0; i < 3; i += 1) {
      await old.send('C', '2', 'nobody', 'same', '1', '{"timeout":20}');
      assert.deepEqual(await old.next(), ['C', '3', 'same', '"C_TIMEOUT"']);
    }
    assert.deepEqual(bad, []);
  });

  test('two clients may use the same request id at the same time', async (t) => {
    const replies = new Map();
    const both = deferred();
    const { peers, old } = await cast(
      t,
      (data, reply) => {
        replies.set(data, reply);
        if (replies.size === 2) both.resolve();
      },
      { worker: { concurrency: 2 } },
    );
    const other = new OldClient(t, peers.endpoint, { name: 'C-other' });
    await old.send('C', '2', SERVICE, 'same', '"old"', '{}');
    await other.send('C', '2', SERVICE, 'same', '"other"', '{}');
    await both.promise;
    for (const [data, reply] of replies) reply.end(`for ${data}`);
    assert.deepEqual(await old.next(), ['C', '3', 'same', '0', '"for old"']);
    assert.deepEqual(await other.next(), ['C', '3', 'same', '0', '"for other"']);
  });
});

test('beside a new client each gets what it understands', async (t) => {
  const bytes = Buffer.from('bytes');
  const { peers, old } = await cast(t, (data, reply) => reply.end(bytes));
  const client = peers.client();
  await start(client);
  assert.deepEqual(await client.call(SERVICE, 1), bytes);
  assert.deepEqual((await old.ask(SERVICE, 1)).final, { type: 'Buffer', data: [...bytes] });
});
