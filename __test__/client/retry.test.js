'use strict';
// A request may start again with another worker, if its client says so; and fail at once where nobody serves it.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { runChild } = require('../support/child');
const { REMOTE_TRANSPORTS } = require('../support/endpoints');
const { record } = require('../support/events');
const { MDP, MdpSocket } = require('../support/mdp');
const { OldBroker, OldClient, OldWorker } = require('../support/old');
const { SERVICE, ask, echo, peersFor, start } = require('../support/peers');

/** So slow that no heartbeat could tell of a death. */
const SLOW = { heartbeat: 60_000 };

/** Runs in the child: a worker that answers nothing, after a partial if it is asked for one. */
async function silentWorker({ omdp, say, endpoint, service, conf }) {
  const worker = new omdp.Worker(endpoint, service, conf);
  worker.on('request', (data, reply, { attempt }) => {
    if (data === 'partial') reply.write('begun');
    say('request', attempt);
  });
  await worker.start();
}

const tellAttempt = (_data, reply, { attempt }) => reply.end(attempt);

for (const transport of REMOTE_TRANSPORTS) {
  describe(`over ${transport}`, () => {
    test('a worker that is killed: another one gets the request, and is told', async (t) => {
      const peers = peersFor(t, transport);
      const [broker, client] = [peers.broker(SLOW), peers.client(SLOW)];
      await start(broker, client);
      const args = { endpoint: peers.endpoint, service: SERVICE, conf: SLOW };
      const call = client.call(SERVICE, 1, { retry: 2, timeout: -1 });
      const first = runChild(t, silentWorker, args);
      assert.equal((await first.said('request')).value, 1);
      const ready = once(broker, 'workerReady');
      const second = runChild(t, silentWorker, args);
      await ready;
      first.kill();
      assert.equal((await second.said('request')).value, 2);
      await peers.worker(tellAttempt, SLOW).start();
      second.kill();
      assert.equal(await call, 3);
      const { counters, requests } = await broker.stats();
      assert.deepEqual([counters.retried, counters.replies, counters.errors, requests], [2, 1, {}, 0]);
    });

    test('as often as was allowed, and without that never', async (t) => {
      const peers = peersFor(t, transport);
      const [broker, client] = [peers.broker(SLOW), peers.client(SLOW)];
      await start(broker, client);
      const args = { endpoint: peers.endpoint, service: SERVICE, conf: SLOW };
      for (const [data, retry, starts] of [
        [1, 1, 2],
        [2, 0, 1],
        [3, undefined, 1],
      ]) {
        const asked = ask(client, data, { retry });
        for (let attempt = 1; attempt <= starts; attempt += 1) {
          const child = runChild(t, silentWorker, args);
          assert.equal((await child.said('request')).value, attempt);
          const gone = once(broker, 'workerGone');
          child.kill();
          await gone;
        }
        assert.deepEqual((await asked).final, ['W_LOST']);
      }
    });

    test('never after a partial', async (t) => {
      const peers = peersFor(t, transport);
      const [broker, client] = [peers.broker(SLOW), peers.client(SLOW)];
      await start(broker, client);
      const child = runChild(t, silentWorker, { endpoint: peers.endpoint, service: SERVICE, conf: SLOW });
      const stream = client.requestStream(SERVICE, 'partial', { retry: 5 });
      const log = record(stream, ['data', 'error']);
      await once(stream, 'data');
      await peers.worker(echo, SLOW).start();
      child.kill();
      await new Promise((resolve) => stream.on('error', resolve));
      assert.deepEqual(
        log.map(([event, value]) => [event, value.code ?? value]),
        [
          ['data', 'begun'],
          ['error', 'W_LOST'],
        ],
      );
    });

    test('a worker that is stopped and gives its request up', async (t) => {
      const peers = peersFor(t, transport);
      const running = [];
      const { worker, client } = await peers.trio((data, reply) => running.push([data, reply]));
      const [again, lost] = [ask(client, 'again', { retry: 1 }), ask(client, 'lost')];
      const seen = [];
      worker.concurrency = 2;
      while (running.length < 2) await new Promise((resolve) => setImmediate(resolve));
      await peers
        .worker((data, reply, { attempt }) => {
          seen.push([data, attempt]);
          reply.end(data);
        })
        .start();
      await worker.stop({ timeout: 0 });
      assert.deepEqual((await again).final, [null, 'again']);
      assert.deepEqual((await lost).final, ['W_LOST']);
      assert.deepEqual(seen, [['again', 2]]);
    });

    test('a worker of 0.0.92 takes over, and one of MDP', async (t) => {
      const peers = peersFor(t, transport);
      const [broker, client] = [peers.broker(SLOW), peers.client(SLOW)];
      await start(broker, client);
      const call = client.call(SERVICE, { a: 1 }, { retry: 2, timeout: -1 });
      const old = new OldWorker(t, peers.endpoint, { service: SERVICE });
      await old.ready();
      assert.deepEqual((await old.request()).data, { a: 1 });
      const [, dialect] = MDP;
      const mdp = new MdpSocket(t, peers.endpoint, dialect, 'M');
      const ready = once(broker, 'workerReady');
      await mdp.send(dialect.ready(SERVICE));
      await ready;
      old.close();
      const [, , address, , body] = await mdp.receive();
      assert.equal(body, '{"a":1}');
      await mdp.send(dialect.final(address, '2'));
      assert.equal(await call, 2);
    });

    test('the deadline of a request that waits again is the one it had', async (t) => {
      const peers = peersFor(t, transport);
      const { broker, client, worker } = await peers.trio(null);
      const begun = new Promise((resolve) => worker.on('request', resolve));
      const expired = once(broker, 'requestExpired');
      const call = assert.rejects(client.call(SERVICE, 1, { retry: 9, timeout: 500 }), { code: 'C_TIMEOUT' });
      await begun;
      await worker.stop({ timeout: 0 });
      assert.equal((await broker.stats()).queued, 1);
      await call;
      assert.deepEqual(await expired, [{ service: SERVICE, running: false }]);
    });

    test('failFast: without a worker W_NONE at once; with one, as ever', async (t) => {
      const peers = peersFor(t, transport);
      const [broker, client] = [peers.broker(), peers.client()];
      await start(broker, client);
      await assert.rejects(client.call(SERVICE, 1, { failFast: true, timeout: -1 }), {
        name: 'OmdpError',
        code: 'W_NONE',
        message: 'no worker offers the service',
      });
      assert.deepEqual((await ask(client, 1, { failFast: true })).final, ['W_NONE']);
      const worker = peers.worker(echo);
      await worker.start();
      await client.call(SERVICE, 'it is there');
      assert.equal(await client.call(SERVICE, 2, { failFast: true, retry: 1 }), 2);
      await worker.stop();
      await assert.rejects(client.call(SERVICE, 3, { failFast: true }), { code: 'W_NONE' });
    });
  });
}

test('a broker of 0.0.92 knows neither: the request waits, starts once, and its handler is told attempt 1', async (t) => {
  const peers = peersFor(t, 'tcp');
  await OldBroker.start(t, peers.endpoint);
  const client = peers.client();
  await client.start();
  const call = client.call(SERVICE, 1, { retry: 3, failFast: true });
  await peers.worker(tellAttempt).start();
  assert.equal(await call, 1);
});

test('no client can pretend to an attempt, and options are shared as before', async (t) => {
  const peers = peersFor(t, 'tcp');
  const seen = [];
  const { client } = await peers.trio((_data, reply, opts) => {
    seen.push(opts);
    reply.end();
  });
  await client.call(SERVICE, 1, { retry: 1 });
  await client.call(SERVICE, 2, { retry: 2, failFast: true });
  assert.equal(seen[0], seen[1]);
  assert.deepEqual(seen[0], { timeout: 60000, attempt: 1 });
});

test('what a request of 0.0.92 says of attempts in its options is dropped', async (t) => {
  const peers = peersFor(t, 'tcp');
  const { worker } = await peers.trio((_data, reply, opts) => reply.end(opts.attempt));
  const log = record(worker, ['badMessage']);
  const old = new OldClient(t, peers.endpoint);
  assert.equal((await old.ask(SERVICE, 1, { timeout: 1000, attempt: 7 })).final, 1);
  // In the form in which the number crosses to JavaScript.
  await old.send('C', '2', SERVICE, 'forged', '1', '\x027\0{}');
  const [, , rid, error] = await old.next();
  assert.deepEqual([rid, JSON.parse(error).code], ['forged', 'C_BAD_REQUEST']);
  assert.deepEqual(log, []);
});
