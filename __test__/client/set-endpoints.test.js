'use strict';
// The brokers of a client and a worker change while they run.
const assert = require('node:assert/strict');
const { on, once } = require('node:events');
const { describe, test } = require('node:test');
const { Client, Worker } = require('../..');
const { TRANSPORTS, freshEndpoint } = require('../support/endpoints');
const { until } = require('../support/events');
const { SERVICE, echo } = require('../support/peers');
const { several } = require('../support/several-brokers');

/** The next event of this kind that is about this endpoint; those of other endpoints are passed over. */
async function eventOf(peer, event, endpoint) {
  for await (const [where, ...rest] of on(peer, event)) {
    if (where === endpoint) return rest;
  }
}

for (const transport of TRANSPORTS) {
  describe(`setEndpoints() over ${transport}`, () => {
    test('a client and a worker move from one broker to another', async (t) => {
      const peers = several(t, 2, transport);
      const [first, second] = peers.endpoints;
      const brokers = [peers.broker(0), peers.broker(1)];
      await Promise.all(brokers.map((broker) => broker.start()));
      const c = peers.client({}, first);
      const w = peers.worker(echo, {}, first);
      await Promise.all([c.start(), w.start()]);
      assert.equal(await c.call(SERVICE, 1), 1);
      for (const peer of [c, w]) {
        const came = eventOf(peer, 'connect', second);
        const went = eventOf(peer, 'disconnect', first);
        const told = once(peer, 'endpoints');
        peer.setEndpoints([second]);
        assert.deepEqual(peer.endpoints, [second]);
        assert.deepEqual(await told, [[second]]);
        await came;
        assert.deepEqual(await went, ['endpoint removed']);
      }
      assert.equal(await c.call(SERVICE, 2), 2);
      const [old, current] = await Promise.all(brokers.map((broker) => broker.stats()));
      assert.deepEqual([old.workers.length, current.workers.length], [0, 1]);
      await Promise.all([c.stop(), w.stop()]);
      await c.start();
      await w.start();
      assert.equal(await c.call(SERVICE, 3), 3);
    });
  });
}

test('what has started at a broker that leaves ends there, and what has not goes to another', async (t) => {
  const peers = several(t, 2, 'tcp');
  const [first, second] = peers.endpoints;
  await Promise.all([peers.broker(0).start(), peers.broker(1).start()]);
  const replies = new Map();
  const w = peers.worker((data, reply) => void replies.set(data, reply), {}, first);
  const c = peers.client({}, first);
  await Promise.all([once(w, 'connect'), w.start(), c.start()]);
  const calls = ['a', 'b', 'c'].map((data) => c.call(SERVICE, data));
  await until(() => replies.size === 1);
  const went = Promise.all([w, c].map((peer) => eventOf(peer, 'disconnect', first)));
  w.setEndpoints(second);
  c.setEndpoints(second);
  // Two wait for the one that runs; each is at the second broker by now, or on its way.
  replies.get('a').end('A');
  assert.equal(await calls[0], 'A');
  await went;
  await until(() => replies.has('b'));
  replies.get('b').end('B');
  await until(() => replies.has('c'));
  replies.get('c').end('C');
  assert.deepEqual(await Promise.all(calls), ['A', 'B', 'C']);
});

test('an endpoint may come back before it is gone, and after', async (t) => {
  const peers = several(t, 2, 'tcp');
  const [first, second] = peers.endpoints;
  await Promise.all([peers.broker(0).start(), peers.broker(1).start()]);
  let running;
  const handler = (data, reply) => {
    if (data === 'wait') running = reply;
    else reply.end(data);
  };
  // With a name of its own each broker knows it by that name.
  const w = peers.worker(handler, { name: 'Wanderer', concurrency: 2 }, first);
  const c = peers.client({ name: 'Caller' }, first);
  await Promise.all([once(w, 'connect'), w.start(), c.start()]);
  const waiting = c.call(SERVICE, 'wait');
  await until(() => running !== undefined);
  for (const peer of [w, c]) peer.setEndpoints([second]);
  for (const peer of [w, c]) peer.setEndpoints([first]);
  running.end('done');
  assert.equal(await waiting, 'done');
  assert.equal(await c.call(SERVICE, 1), 1);
  for (let round = 0; round < 20; round += 1) {
    for (const peer of [w, c]) peer.setEndpoints([round % 2 === 0 ? second : first]);
    assert.equal(await c.call(SERVICE, round), round);
  }
});

test('a worker of several services takes all of them along', async (t) => {
  const peers = several(t, 3, 'tcp');
  const [first, second, third] = peers.endpoints;
  await Promise.all([0, 1, 2].map((at) => peers.broker(at).start()));
  const handlers = {
    add: ({ a, b }, reply) => reply.end(a + b),
    negate: (a, reply) => reply.end(-a),
    name: (_, reply) => reply.end('name'),
  };
  const w = new Worker(first, handlers);
  t.after(() => w.stop());
  const c = peers.client({}, first);
  await Promise.all([w.start(), c.start()]);
  const check = async () => {
    assert.equal(await c.call('add', { a: 1, b: 2 }), 3);
    assert.equal(await c.call('negate', 2), -2);
    assert.equal(await c.call('name'), 'name');
  };
  await check();
  for (const list of [[first, second], [second], [third, second], [first], [third]]) {
    w.setEndpoints(list);
    c.setEndpoints(list);
    for (let i = 0; i < 4; i += 1) await check();
  }
});

test('before the start and after a stop it is the list of the next start', async (t) => {
  const peers = several(t, 2, 'tcp');
  const [first, second] = peers.endpoints;
  await peers.broker(1).start();
  const c = peers.client({}, first);
  const w = peers.worker(echo, {}, first);
  c.setEndpoints(second);
  w.setEndpoints(second);
  await Promise.all([c.start(), w.start()]);
  assert.equal(await c.call(SERVICE, 1), 1);
  await Promise.all([c.stop(), w.stop()]);
  for (const peer of [c, w]) peer.setEndpoints([first]);
  await peers.broker(0).start();
  await Promise.all([c.start(), w.start()]);
  assert.equal(await c.call(SERVICE, 2), 2);
});

test('an endpoint that nobody can use is refused at once, and the others stay', async (t) => {
  const endpoint = freshEndpoint('tcp');
  const c = new Client(endpoint);
  t.after(() => c.stop());
  assert.throws(() => c.setEndpoints([]), {
    name: 'RangeError',
    message: 'endpoint must have at least one element, got an empty array',
  });
  assert.throws(() => c.setEndpoints(1), {
    name: 'TypeError',
    message: /^endpoint must be a non-empty string/,
  });
  assert.throws(() => c.setEndpoints([endpoint, endpoint]), {
    name: 'RangeError',
    message: /^endpoint\[1\] must differ from the others/,
  });
  assert.throws(() => c.setEndpoints(['nonsense']), {
    name: 'RangeError',
    message:
      'endpoint[0] must be tcp://host:port, tcp+srv://name, ipc://path or inproc://name, got "nonsense" (string)',
  });
  assert.throws(() => c.setEndpoints('tcp+srv://a.example:5'), {
    name: 'RangeError',
    message: /^endpoint must be tcp\+srv:\/\/ and the name of SRV records, which have the port, got /,
  });
  for (const port of [0, 65536]) {
    assert.throws(() => c.setEndpoints(`tcp://127.0.0.1:${port}`), { name: 'RangeError' });
  }
  assert.deepEqual(c.endpoints, [endpoint]);
  const secured = new Client(endpoint, { plainUsername: 'u', plainPassword: 'p' });
  assert.throws(() => secured.setEndpoints('inproc://a'), {
    name: 'RangeError',
    message: /cannot be secured/,
  });
});

test('one that cannot be opened is told by an event', async (t) => {
  const peers = several(t, 1, 'tcp');
  const c = peers.client();
  await peers.broker(0).start();
  await c.start();
  const path = `ipc:///${'p'.repeat(200)}`;
  const told = once(c, 'unreachable');
  c.setEndpoints([...peers.endpoints, path]);
  const [{ endpoint, code }] = await told;
  assert.deepEqual([endpoint, code], [path, 'ENAMETOOLONG']);
});
