'use strict';
// Workers and clients of several brokers: a worker serves all of them with one concurrency, a client spreads its
// requests over those that live, and leaves one that dies.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { Broker, Client, Worker, curveKeyPair } = require('..');
const { runChild } = require('./support/child');
const { freshEndpoint } = require('./support/endpoints');
const { deferred, namesOf, record, until } = require('./support/events');
const { SERVICE, ask, echo } = require('./support/peers');

const SLOW = { heartbeat: 60_000 };
const BIG = Number(process.env.OMDP_REQUESTS ?? 4000);

/** Peers of several brokers; all are stopped when the test ends. */
function several(t, count = 2, transport = 'inproc') {
  const made = [];
  t.after(() => Promise.all(made.map((peer) => peer.stop({ timeout: 0 }))));
  const keep = (peer) => {
    made.push(peer);
    return peer;
  };
  const endpoints = Array.from({ length: count }, () => freshEndpoint(transport));
  return {
    endpoints,
    broker: (at, conf) => keep(new Broker(endpoints[at], conf)),
    worker: (handler, conf, where = endpoints) => {
      const worker = keep(new Worker(where, SERVICE, conf));
      worker.on('request', handler);
      return worker;
    },
    client: (conf, where = endpoints) => keep(new Client(where, conf)),
  };
}

/** Waits until a peer is connected to so many brokers. */
const connected = (peer, count) =>
  new Promise((resolve) => {
    const seen = new Set();
    peer.on('connect', (endpoint) => {
      seen.add(endpoint);
      if (seen.size === count) resolve();
    });
  });

/** Two brokers, a worker and a client of both, all connected. */
async function cast(t, { handler = echo, transport = 'inproc', brokers = 2, conf, worker, client } = {}) {
  const peers = several(t, brokers, transport);
  const all = peers.endpoints.map((_, at) => peers.broker(at, conf));
  await Promise.all(all.map((broker) => broker.start()));
  const result = {
    ...peers,
    brokers: all,
    theWorker: peers.worker(handler, worker),
    theClient: peers.client(client),
  };
  const ready = [connected(result.theWorker, brokers), connected(result.theClient, brokers)];
  await Promise.all([result.theWorker.start(), result.theClient.start(), ...ready]);
  return result;
}

/** Counts at which broker each worker of one broker is asked. */
async function oneWorkerEach(t, { count = 2, transport = 'inproc', conf } = {}) {
  const peers = several(t, count, transport);
  const brokers = peers.endpoints.map((_, at) => peers.broker(at, conf));
  const asked = peers.endpoints.map(() => 0);
  const workers = peers.endpoints.map((endpoint, at) =>
    peers.worker(
      (data, reply) => {
        asked[at] += 1;
        reply.end(data);
      },
      conf,
      endpoint,
    ),
  );
  await Promise.all(brokers.map((broker) => broker.start()));
  await Promise.all(workers.map((worker) => Promise.all([once(worker, 'connect'), worker.start()])));
  return { ...peers, brokers, workers, asked };
}

describe('endpoints', () => {
  for (const Peer of [Client, Worker]) {
    const make = (endpoint) => new Peer(endpoint, ...(Peer === Worker ? [SERVICE] : []));

    test(`a ${Peer.name} takes a string or an array of different strings`, () => {
      for (const good of ['inproc://a', ['inproc://a'], ['inproc://a', 'inproc://b', 'inproc://c']])
        make(good);
      const bad = [
        [[], RangeError, 'endpoint must be at least one, got an empty array'],
        [['inproc://a', 1], TypeError, 'endpoint[1] must be a non-empty string, got 1 (number)'],
        [['inproc://a', ''], TypeError, 'endpoint[1] must be a non-empty string, got "" (string)'],
        [
          ['inproc://a', 'inproc://b', 'inproc://a'],
          RangeError,
          'endpoint[2] must differ from the others, got "inproc://a" (string)',
        ],
      ];
      for (const [endpoint, type, message] of bad) {
        assert.throws(
          () => make(endpoint),
          (error) => {
            assert.ok(error instanceof type);
            assert.equal(error.message, message);
            return true;
          },
        );
      }
    });

    test(`a ${Peer.name} does not start when one of them is none`, async (t) => {
      const peer = make([freshEndpoint('inproc'), 'nonsense://x']);
      t.after(() => peer.stop());
      await assert.rejects(peer.start(), (error) => {
        assert.match(error.message, /nonsense:\/\/x/);
        return true;
      });
    });
  }
});

describe('events', () => {
  test('connect and disconnect come for each broker with its endpoint, start and stop once', async (t) => {
    const peers = several(t, 2, 'tcp');
    const [a, b] = [peers.broker(0), peers.broker(1)];
    await Promise.all([a.start(), b.start()]);
    for (const peer of [peers.worker(echo), peers.client()]) {
      const log = record(peer);
      const ready = connected(peer, 2);
      await Promise.all([peer.start(), ready]);
      assert.deepEqual(log[0], 'start');
      assert.deepEqual(
        new Set(log.slice(1).map(String)),
        new Set(peers.endpoints.map((e) => `connect,${e}`)),
      );
      log.length = 0;
      await peer.stop();
      assert.deepEqual(
        new Set(log.slice(0, 2).map(String)),
        new Set(peers.endpoints.map((e) => `disconnect,${e},stopped`)),
      );
      assert.deepEqual(log.slice(2), ['stop']);
    }
  });

  test('the end of one broker is told of it alone, and it is found again', async (t) => {
    const { brokers, endpoints, theWorker, theClient } = await cast(t, { transport: 'tcp' });
    // A broker knows a client by its first message, not by the connection: one request to each.
    await Promise.all([1, 2].map((n) => theClient.call(SERVICE, n)));
    const logs = [theWorker, theClient].map((peer) => record(peer));
    const gone = [theWorker, theClient].map((peer) => once(peer, 'disconnect'));
    await brokers[1].stop();
    await Promise.all(gone);
    const back = [theWorker, theClient].map((peer) => once(peer, 'connect'));
    await brokers[1].start();
    await Promise.all(back);
    for (const log of logs) {
      assert.deepEqual(log, [
        ['disconnect', endpoints[1], 'disconnected by the broker'],
        ['connect', endpoints[1]],
      ]);
    }
  });

  test('two endpoints of one broker are two lines to it', async (t) => {
    const broker = new Broker([freshEndpoint('tcp'), freshEndpoint('tcp')]);
    t.after(() => broker.stop());
    await broker.start();
    const { worker, client } = several(t);
    const [w, c] = [worker(echo, {}, broker.endpoints), client({}, broker.endpoints)];
    const logs = [w, c].map((peer) => record(peer));
    await Promise.all([connected(w, 2), connected(c, 2), w.start(), c.start()]);
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => c.call(SERVICE, i)));
    assert.deepEqual(
      answers,
      answers.map((_, i) => i),
    );
    for (const log of logs) assert.deepEqual(namesOf(log), ['start', 'connect', 'connect']);
  });
});

describe('a worker', () => {
  test('has one request at a time, whichever broker it is of', async (t) => {
    let running = 0;
    let most = 0;
    const handler = async (data, reply) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, data % 20 === 0 ? 8 : 0));
      running -= 1;
      reply.end(data);
    };
    const { endpoints, client } = await cast(t, { handler, brokers: 3 });
    const clients = endpoints.map((endpoint) => client({}, endpoint));
    await Promise.all(clients.map((each) => each.start()));
    const calls = Array.from({ length: 300 }, (_, i) => clients[i % 3].call(SERVICE, i));
    assert.deepEqual(
      await Promise.all(calls),
      calls.map((_, i) => i),
    );
    assert.equal(most, 1);
  });

  test('has as many as its concurrency allows over all brokers, which may change', async (t) => {
    const replies = [];
    const { endpoints, client, theWorker } = await cast(t, {
      handler: (_data, reply) => replies.push(reply),
      worker: { concurrency: 3 },
    });
    const clients = endpoints.map((endpoint) => client({}, endpoint));
    await Promise.all(clients.map((each) => each.start()));
    const calls = Array.from({ length: 20 }, (_, i) => clients[i % 2].call(SERVICE, i));
    await until(() => replies.length === 3);
    theWorker.concurrency = 5;
    await until(() => replies.length === 5);
    theWorker.concurrency = 1;
    for (let i = 0; i < 4; i += 1) replies[i].end('early');
    // Whatever the brokers give beyond that they have given when another service has answered.
    const barrier = new Worker(endpoints, 'barrier');
    t.after(() => barrier.stop());
    barrier.on('request', echo);
    await Promise.all([connected(barrier, 2), barrier.start()]);
    await Promise.all(clients.map((each) => each.call('barrier')));
    assert.equal(replies.length, 5);
    theWorker.concurrency = -1;
    for (let done = 4; done < calls.length; done += 1) {
      await until(() => replies.length > done);
      replies[done].end('late');
    }
    await Promise.all(calls);
  });

  test('gives back to one broker what it can’t start because it is busy for the other', async (t) => {
    const held = deferred();
    const { endpoints, client, worker } = await cast(t, {
      handler: (data, reply) => {
        if (data === 'long') held.resolve(reply);
        else reply.end('the busy one');
      },
    });
    const [a, b] = endpoints.map((endpoint) => client({}, endpoint));
    await Promise.all([a.start(), b.start()]);
    const long = a.call(SERVICE, 'long');
    const reply = await held.promise;
    const short = b.call(SERVICE, 'short');
    const other = worker((_data, reply) => reply.end('the other one'), {}, endpoints[1]);
    await other.start();
    assert.equal(await short, 'the other one');
    await other.stop();

    // Without another one it waits in its queue, and is given as soon as there is room again.
    const next = b.call(SERVICE, 'short');
    reply.end('done');
    assert.deepEqual(await Promise.all([long, next]), ['done', 'the busy one']);
  });

  test('what a lost broker’s request still does takes up room', async (t) => {
    const held = deferred();
    const started = [];
    const { brokers, endpoints, client, theWorker } = await cast(t, {
      handler: (data, reply) => {
        started.push(data);
        if (data === 'long') held.resolve(reply);
        else reply.end(data);
      },
    });
    const [a, b] = endpoints.map((endpoint) => client({}, endpoint));
    await Promise.all([a.start(), b.start()]);
    const long = ask(a, 'long');
    const reply = await held.promise;
    const lost = once(theWorker, 'disconnect');
    await brokers[0].stop();
    await lost;
    assert.deepEqual((await long).final, ['B_LOST']);
    assert.equal(reply.active(), false);
    const next = b.call(SERVICE, 'next');
    const other = several(t).worker((_data, r) => r.end('another'), {}, endpoints[1]);
    await other.start();
    assert.equal(await next, 'another', 'given back, as the first is still busy');
    assert.deepEqual(started, ['long']);
    await other.stop();
    reply.end('for nobody');
    assert.equal(await b.call(SERVICE, 'again'), 'again');
  });

  test('stop() sees the requests of all brokers to their ends', async (t) => {
    const replies = [];
    const { endpoints, client, theWorker } = await cast(t, {
      // It may still get the third when the first has ended and the worker has not begun to stop.
      handler: (data, reply) => (data === 'third' ? reply.end(data) : replies.push(reply)),
      worker: { concurrency: 2 },
    });
    const clients = endpoints.map((endpoint) => client({}, endpoint));
    await Promise.all(clients.map((each) => each.start()));
    const calls = clients.map((each, i) => each.call(SERVICE, i));
    await until(() => replies.length === 2);
    const waiting = ask(clients[0], 'third');
    const log = record(theWorker);
    const stopped = theWorker.stop();
    replies[0].end('a');
    await once(theWorker, 'disconnect');
    assert.equal(log.length, 1);
    replies[1].end('b');
    await stopped;
    // Which of the brokers is the first to give its request is open.
    assert.deepEqual((await Promise.all(calls)).sort(), ['a', 'b']);
    assert.deepEqual(namesOf(log), ['disconnect', 'disconnect', 'stop']);
    await several(t).worker(echo, {}, endpoints[0]).start();
    assert.deepEqual((await waiting).final, [null, 'third']);
  });

  test('stop({ timeout }) ends those of all brokers with W_LOST', async (t) => {
    const replies = [];
    const { endpoints, client, theWorker } = await cast(t, {
      handler: (_data, reply) => replies.push(reply),
      worker: { concurrency: -1 },
    });
    const clients = endpoints.map((endpoint) => client({}, endpoint));
    await Promise.all(clients.map((each) => each.start()));
    const asked = clients.map((each, i) => ask(each, i));
    await until(() => replies.length === 2);
    await theWorker.stop({ timeout: 10 });
    for (const each of asked) assert.deepEqual((await each).final, ['W_LOST']);
    assert.deepEqual(
      replies.map((reply) => reply.active()),
      [false, false],
    );
  });
});

describe('a client', () => {
  test('spreads its requests evenly where all are alike', async (t) => {
    const { client, asked } = await oneWorkerEach(t, { count: 3 });
    const c = client();
    await Promise.all([connected(c, 3), c.start()]);
    for (let i = 0; i < 30; i += 1) assert.equal(await c.call(SERVICE, i), i);
    assert.deepEqual(asked, [10, 10, 10]);
    await Promise.all(Array.from({ length: 300 }, (_, i) => c.call(SERVICE, i)));
    assert.deepEqual(asked, [110, 110, 110]);
  });

  test('gives less to a broker that has much of its already', async (t) => {
    const peers = several(t);
    await Promise.all([peers.broker(0).start(), peers.broker(1).start()]);
    const w = peers.worker(echo, {}, peers.endpoints[1]);
    await Promise.all([once(w, 'connect'), w.start()]);
    const c = peers.client();
    await Promise.all([connected(c, 2), c.start()]);
    let answered = 0;
    for (let i = 0; i < 20; i += 1) {
      const call = c.call(SERVICE, i, { timeout: -1 }).then(
        () => {
          answered += 1;
        },
        () => {},
      );
      if (i > 0) await Promise.race([call, until(() => answered >= i)]);
    }
    // Where nobody serves one lies, and nobody adds to it while the other has none.
    assert.equal(answered, 19);
  });

  test('waits while there is no broker, and goes to the first that comes', async (t) => {
    const peers = several(t, 2, 'tcp');
    const c = peers.client();
    await c.start();
    const calls = Array.from({ length: 10 }, (_, i) => c.call(SERVICE, i));
    await assert.rejects(c.call(SERVICE, 'impatient', { timeout: 20 }), { code: 'C_TIMEOUT' });
    const aborting = new AbortController();
    const aborted = assert.rejects(c.call(SERVICE, 'aborted', { signal: aborting.signal }), {
      code: 'C_ABORTED',
    });
    aborting.abort();
    await aborted;
    const order = [];
    const handler = (data, reply) => {
      order.push(data);
      reply.end(data);
    };
    await Promise.all([peers.broker(1).start(), peers.worker(handler).start()]);
    await Promise.all(calls);
    assert.deepEqual(
      order,
      calls.map((_, i) => i),
    );
  });

  test('timeouts, partials, errors, signals and cancellations are as with one', async (t) => {
    const cancelled = [];
    let waiting = 0;
    const { theClient: c } = await cast(t, {
      worker: { concurrency: -1 },
      handler: (data, reply) => {
        if (data === 'error') return reply.error({ code: 'EFAIL' });
        if (data === 'wait') {
          waiting += 1;
          return reply.signal.addEventListener('abort', () => cancelled.push(reply));
        }
        reply.write(1);
        reply.write(Buffer.from([2]));
        reply.end(data);
      },
    });
    for (let i = 0; i < 4; i += 1) {
      assert.deepEqual(await ask(c, i), {
        partials: [
          [null, 1],
          [null, Buffer.from([2])],
        ],
        final: [null, i],
      });
      await assert.rejects(c.call(SERVICE, 'error'), { code: 'EFAIL' });
      await assert.rejects(c.call(SERVICE, 'wait', { timeout: 20 }), { code: 'C_TIMEOUT' });
      const stream = c.requestStream(SERVICE, 'never started');
      stream.heartbeat();
      stream.on('error', () => {});
      stream.destroy();
      const parts = [];
      for await (const part of c.requestStream(SERVICE, 'end')) parts.push(part);
      assert.deepEqual(parts, [1, Buffer.from([2]), 'end']);
    }
    c.heartbeat();
    const left = [1, 2].map(() => ask(c, 'wait'));
    await until(() => waiting === 6);
    await c.stop();
    for (const each of left) assert.deepEqual((await each).final, ['C_STOPPED']);
    await until(() => cancelled.length === 6);
  });

  test('leaves a broker that is killed under load: what was in it is B_LOST in the end, and nothing else', async (t) => {
    const peers = several(t, 2, 'tcp');
    // What a lost broker had waits so long for the next one at its endpoint.
    const [conf, patience] = [{ heartbeat: 1000 }, 3000];
    const program = async ({ omdp, say, endpoint, conf }) => {
      await new omdp.Broker(endpoint, conf).start();
      say('started');
    };
    const children = peers.endpoints.map((endpoint) => runChild(t, program, { endpoint, conf }));
    await Promise.all(children.map((child) => child.said('started')));
    const workers = [peers.worker(echo, conf), peers.worker(echo, conf)];
    const c = peers.client(conf);
    const ready = [...workers, c].map((peer) => connected(peer, 2));
    await Promise.all([...workers, c].map((peer) => peer.start()).concat(ready));

    const WINDOW = 100;
    const results = { answered: 0, lost: 0, afterLoss: 0 };
    let made = 0;
    const disconnected = once(c, 'disconnect');
    let gone = false;
    let goneAt = 0;
    disconnected.then(() => {
      gone = true;
      goneAt = performance.now();
    });
    const lane = async () => {
      while (made < BIG) {
        made += 1;
        if (made === BIG / 2) children[0].kill();
        const madeAfter = gone;
        try {
          await c.call(SERVICE, made, { timeout: 20_000 });
          results.answered += 1;
        } catch (error) {
          assert.equal(error.code, 'B_LOST');
          const after = performance.now() - goneAt;
          // Twice as long on a machine that has much else to do.
          assert.ok(after > patience * 0.9 && after < patience * 2, `${after} ms after the loss`);
          results.lost += 1;
          results.afterLoss += madeAfter ? 1 : 0;
        }
      }
    };
    await Promise.all(Array.from({ length: WINDOW }, lane));
    const [endpoint] = await disconnected;
    assert.equal(endpoint, peers.endpoints[0]);
    assert.equal(results.answered + results.lost, BIG);
    assert.ok(results.lost <= WINDOW, `${results.lost} lost`);
    assert.equal(results.afterLoss, 0);

    // The other goes too: now there is none, and what is asked waits for one.
    const second = once(c, 'disconnect');
    children[1].kill();
    await second;
    const call = c.call(SERVICE, 'patient');
    await runChild(t, program, { endpoint: peers.endpoints[0], conf }).said('started');
    assert.equal(await call, 'patient');
  });

  test('what runs when a broker is killed is answered by the next at its endpoint, while the other goes on', async (t) => {
    const peers = several(t, 2, 'tcp');
    const program = async ({ omdp, say, endpoint, conf }) => {
      await new omdp.Broker(endpoint, conf).start();
      say('started');
    };
    const launch = (endpoint) => runChild(t, program, { endpoint, conf: SLOW });
    const children = peers.endpoints.map(launch);
    await Promise.all(children.map((child) => child.said('started')));
    const replies = [];
    const handler = (data, reply) => (data === 'long' ? replies.push(reply) : reply.end(data));
    const [w, c] = [peers.worker(handler, { ...SLOW, concurrency: 3 }), peers.client(SLOW)];
    await Promise.all([connected(w, 2), connected(c, 2), w.start(), c.start()]);
    const parts = [];
    const asked = [0, 1].map(
      (at) =>
        new Promise((resolve) => {
          const onPartial = (error, data) => parts.push([at, error ?? data]);
          c.request(SERVICE, 'long', onPartial, (...final) => resolve(final));
        }),
    );
    await until(() => replies.length === 2);
    for (const reply of replies) reply.write(1);
    await until(() => parts.length === 2);
    const lost = [w, c].map((peer) => once(peer, 'disconnect'));
    children[0].kill();
    for (const each of lost) assert.equal((await each)[0], peers.endpoints[0]);
    assert.equal(await c.call(SERVICE, 'the other'), 'the other');
    assert.deepEqual(
      replies.map((reply) => reply.active()),
      [true, true],
    );
    for (const reply of replies) {
      reply.write(2);
      reply.end(3);
    }
    await launch(peers.endpoints[0]).said('started');
    for (const each of asked) assert.deepEqual(await each, [null, 3]);
    for (const at of [0, 1]) {
      assert.deepEqual(
        parts.filter(([of]) => of === at),
        [1, 2].map((n) => [at, n]),
      );
    }
    assert.equal(replies.length, 2);
  });

  test('what was not sent when its broker went is moved to another', async (t) => {
    const { brokers, endpoints, theClient: c } = await cast(t, { transport: 'tcp' });
    let answered = 0;
    for (let round = 0; round < 6; round += 1) {
      const back = once(c, 'connect');
      const stopping = brokers[round % 2].stop();
      // In every state of the link: nothing may stay behind at the one that is away.
      for (let i = 0; i < 50; i += 1) {
        const { final } = await ask(c, i, { timeout: 5000 });
        if (final[0] === null) answered += 1;
        else assert.equal(final[0], 'B_LOST');
      }
      await stopping;
      await brokers[round % 2].start();
      await back;
    }
    assert.ok(answered >= 294, `${answered} of 300`);
    assert.equal(endpoints.length, 2);
  });
});

test('CURVE: all brokers have one key', async (t) => {
  const [server, own] = [curveKeyPair(), curveKeyPair()];
  const conf = { curveServer: true, curveSecretKey: server.secretKey };
  const peer = { curveServerKey: server.publicKey, curveSecretKey: own.secretKey };
  const { theClient } = await cast(t, { transport: 'tcp', conf, worker: peer, client: peer });
  assert.deepEqual(await Promise.all([1, 2, 3, 4].map((i) => theClient.call(SERVICE, i))), [1, 2, 3, 4]);
});

test('who is not let in by one of them hears which, and is served by the other', async (t) => {
  const [server, other, own] = [curveKeyPair(), curveKeyPair(), curveKeyPair()];
  const peers = several(t, 2, 'tcp');
  const peer = { curveServerKey: server.publicKey, curveSecretKey: own.secretKey };
  await Promise.all(
    [server, other].map(({ secretKey }, at) =>
      peers.broker(at, { curveServer: true, curveSecretKey: secretKey }).start(),
    ),
  );
  const [w, c] = [peers.worker(echo, peer), peers.client(peer)];
  const refused = once(c, 'error');
  w.on('error', () => {});
  await Promise.all([w.start(), c.start()]);
  assert.deepEqual(await Promise.all([1, 2, 3, 4].map((i) => c.call(SERVICE, i))), [1, 2, 3, 4]);
  const [error] = await refused;
  assert.deepEqual([error.code, error.endpoint], ['B_REFUSED', peers.endpoints[1]]);
});

for (const protocol of ['mdp/0.1', 'mdp/0.2']) {
  test(`several brokers under ${protocol}`, async (t) => {
    const { theClient } = await cast(t, {
      transport: 'tcp',
      conf: { heartbeat: 50 },
      worker: { protocol, heartbeat: 50 },
      client: { protocol },
    });
    const calls = Array.from({ length: 50 }, (_, i) => theClient.call(SERVICE, String(i)));
    assert.equal((await Promise.all(calls)).length, 50);
  });
}
