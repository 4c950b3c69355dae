'use strict';
// Going away in order costs nothing: workers that are restarted one after the other under load lose no request, and
// whoever stops says so at once. OMDP_REQUESTS=100000 makes the load as large.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { OmdpError } = require('../..');
const { runChild } = require('../support/child');
const { TRANSPORTS } = require('../support/endpoints');
const { deferred } = require('../support/events');
const { SERVICE, ask, echo, peersFor, start } = require('../support/peers');

const REQUESTS = Number(process.env.OMDP_REQUESTS ?? 20_000);
const WORKERS = 5;
const WINDOW = 200;

const SLOW = { heartbeat: 60_000 };

/** Runs in the child: a worker that stops when it is told to. Every hundredth request takes a while. */
async function servant({ omdp, say, endpoint, service, conf }) {
  const worker = new omdp.Worker(endpoint, service, conf);
  let served = 0;
  worker.on('request', (data, reply) => {
    served += 1;
    if (data % 100 === 0) setTimeout(() => reply.end(data), 5);
    else reply.end(data);
  });
  worker.once('connect', () => say('ready'));
  await worker.start();
  process.stdin.once('data', async () => {
    await worker.stop();
    say('stopped', served);
    process.stdin.destroy();
  });
}

/** Keeps a window of requests in flight until there were enough of them and `isOver()`; counts how they ended. */
async function load(client, isOver) {
  const ends = { asked: 0, answered: 0, other: [] };
  const lane = async () => {
    while (ends.asked < REQUESTS || !isOver()) {
      ends.asked += 1;
      const n = ends.asked;
      try {
        assert.equal(await client.call(SERVICE, n, { timeout: -1 }), n);
        ends.answered += 1;
      } catch (error) {
        ends.other.push(error.code ?? error.message);
      }
    }
  };
  await Promise.all(Array.from({ length: WINDOW }, lane));
  return ends;
}

for (const concurrency of [1, 16]) {
  test(`workers of concurrency ${concurrency}, restarted one after the other under load, lose nothing`, async (t) => {
    const peers = peersFor(t, 'tcp');
    const client = peers.client(SLOW);
    await start(peers.broker(SLOW), client);
    const launch = async () => {
      const args = { endpoint: peers.endpoint, service: SERVICE, conf: { ...SLOW, concurrency } };
      const child = runChild(t, servant, args, { patience: 300_000 });
      await child.said('ready');
      return child;
    };
    const children = await Promise.all(Array.from({ length: WORKERS }, launch));
    let over = false;
    const loaded = load(client, () => over);
    let served = 0;
    for (let at = 0; at < WORKERS; at += 1) {
      children[at].tell('stop');
      served += (await children[at].said('stopped')).value;
      const { code, signal, stderr } = await children[at].ended;
      assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' });
      children[at] = await launch();
    }
    assert.ok(served > 0, 'they had something to do');
    over = true;
    const { asked, answered, other } = await loaded;
    assert.deepEqual(other, []);
    assert.equal(answered, asked);
    assert.ok(asked >= REQUESTS);
    for (const child of children) child.tell('stop');
    for (const child of children) served += (await child.said('stopped')).value;
    assert.equal(served, asked, 'nothing ran twice');
    t.diagnostic(`${answered} of ${asked} answered`);
  });
}

for (const transport of TRANSPORTS) {
  describe(`over ${transport}, with slow hearts`, () => {
    test('a broker that stops and discards tells everybody at once', async (t) => {
      const peers = peersFor(t, transport);
      const { broker, worker, client } = await peers.trio((_data, reply) => reply.write('begun'), {
        broker: SLOW,
        worker: SLOW,
        client: SLOW,
      });
      const stream = client.requestStream(SERVICE, 1);
      await once(stream, 'data');
      const ended = new Promise((resolve) => stream.once('error', resolve));
      const left = [worker, client].map((peer) => once(peer, 'disconnect'));
      await broker.stop({ discard: true });
      for (const each of left) {
        assert.deepEqual(await each, [peers.endpoint, 'disconnected by the broker']);
      }
      const error = await ended;
      assert.ok(error instanceof OmdpError);
      assert.equal(error.code, 'B_LOST');
    });

    test('a broker that stops with a timeout waits for what runs, and leaves the rest to the next', async (t) => {
      const begun = deferred();
      const peers = peersFor(t, transport);
      const handler = (data, reply) => (data === 1 ? begun.resolve(reply) : reply.end(data));
      const conf = { broker: SLOW, worker: { ...SLOW, concurrency: 1 }, client: SLOW };
      const { broker, client } = await peers.trio(handler, conf);
      const running = ask(client, 1);
      const reply = await begun.promise;
      const waiting = ask(client, 2);
      const stopped = broker.stop({ timeout: 600_000 });
      reply.end(1);
      // Through this broker, since there is no other.
      assert.deepEqual((await running).final, [null, 1]);
      await stopped;
      await broker.start();
      assert.deepEqual((await waiting).final, [null, 2]);
    });

    test('a second stop of a broker ends the wait of the first', async (t) => {
      const begun = deferred();
      const peers = peersFor(t, transport);
      const conf = { broker: SLOW, worker: SLOW, client: SLOW };
      const { broker, client } = await peers.trio((_data, reply) => begun.resolve(reply), conf);
      const running = ask(client, 1);
      const reply = await begun.promise;
      const stopped = broker.stop({ timeout: -1 });
      await Promise.all([stopped, broker.stop()]);
      reply.end(1);
      await broker.start();
      assert.deepEqual((await running).final, [null, 1]);
    });

    test('a client that stops ends what is outstanding, and its worker hears of it', async (t) => {
      const aborted = deferred();
      const peers = peersFor(t, transport);
      const { client } = await peers.trio((_data, reply) => {
        reply.signal.addEventListener('abort', aborted.resolve);
        reply.write('begun');
      });
      const stream = client.requestStream(SERVICE, 1);
      const waiting = ask(client, 2);
      await once(stream, 'data');
      const ended = new Promise((resolve) => stream.once('error', resolve));
      await client.stop();
      const error = await ended;
      assert.ok(error instanceof OmdpError);
      assert.deepEqual([error.code, (await waiting).final], ['C_STOPPED', ['C_STOPPED']]);
      await aborted.promise;
    });

    test('a worker that stops is gone at once, and what it had not begun goes to another', async (t) => {
      const peers = peersFor(t, transport);
      const { broker, worker, client } = await peers.trio(echo, { broker: SLOW, worker: SLOW, client: SLOW });
      const calls = Array.from({ length: 500 }, (_, i) => client.call(SERVICE, i));
      await calls[20];
      const gone = once(broker, 'workerGone');
      await worker.stop();
      assert.deepEqual([(await gone)[0].reason, (await gone)[0].lost], ['goodbye', 0]);
      await peers.worker(echo, SLOW).start();
      assert.deepEqual(
        await Promise.all(calls),
        calls.map((_, i) => i),
      );
    });
  });
}
