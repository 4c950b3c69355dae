'use strict';
// The death of a process is noticed by its connection, not by its silence: everybody's hearts are slow here, so that
// no heartbeat could tell.
const assert = require('node:assert/strict');
const { EventEmitter, once } = require('node:events');
const { describe, test } = require('node:test');
const { STOPPING, runChild } = require('../support/child');
const { REMOTE_TRANSPORTS } = require('../support/endpoints');
const { record } = require('../support/events');
const { SERVICE, ask, echo, peersFor, start } = require('../support/peers');

const SLOW = { heartbeat: 60_000 };

/** Runs in the child: a worker that sends one partial, and then nothing more. */
async function silentWorker({ omdp, say, endpoint, service, conf }) {
  const worker = new omdp.Worker(endpoint, service, conf);
  worker.on('request', (data, reply) => {
    reply.write('begun');
    say('request', data);
  });
  await worker.start();
}

const args = (peers, conf = SLOW) => ({ endpoint: peers.endpoint, service: SERVICE, conf });

for (const transport of REMOTE_TRANSPORTS) {
  describe(`over ${transport}`, () => {
    test('a worker that is killed loses its request at once: W_LOST, after the partials', async (t) => {
      const peers = peersFor(t, transport);
      const [broker, client] = [peers.broker(SLOW), peers.client(SLOW)];
      await start(broker, client);
      const child = runChild(t, silentWorker, args(peers));
      const stream = client.requestStream(SERVICE, 1);
      const log = record(stream, ['data', 'end', 'error']);
      await once(stream, 'data');
      const gone = once(broker, 'workerGone');
      const rejected = assert.rejects(client.call(SERVICE, 2, { timeout: -1 }), { code: 'W_LOST' });
      child.kill();
      await new Promise((resolve) => stream.on('error', resolve));
      assert.deepEqual(
        log.map(([event, value]) => [event, value.code ?? value]),
        [
          ['data', 'begun'],
          ['error', 'W_LOST'],
        ],
      );
      const [{ reason, lost }] = await gone;
      assert.deepEqual([reason, lost], ['connection lost', 1]);

      // The one behind it had not begun: it waits for the next worker, whose death it shares.
      const next = runChild(t, silentWorker, args(peers));
      assert.equal((await next.said('request')).value, 2);
      next.kill();
      await rejected;
    });

    test('of a killed worker’s requests those that had not begun go to another', async (t) => {
      const peers = peersFor(t, transport);
      const client = peers.client(SLOW);
      await start(peers.broker(SLOW), client);
      const child = runChild(t, silentWorker, args(peers));
      const [begun, waiting] = [ask(client, 'begun'), ask(client, 'waiting')];
      await child.said('request');
      await peers.worker(echo, SLOW).start();
      // Whatever was given to the worker ahead of need comes back to the queue, or was never given.
      assert.deepEqual((await waiting).final, [null, 'waiting']);
      child.kill();
      assert.deepEqual((await begun).final, ['W_LOST']);
    });

    test('a broker that is killed: its peers notice at once, and what it had goes on with the next', async (t) => {
      const peers = peersFor(t, transport);
      const program = async ({ omdp, say, endpoint, conf }) => {
        await new omdp.Broker(endpoint, conf).start();
        say('started');
      };
      const child = runChild(t, program, args(peers));
      await child.said('started');
      const taken = new EventEmitter();
      const running = once(taken, 'held');
      const worker = peers.worker(
        (data, reply) => (data === 'held' ? taken.emit('held', reply) : reply.end(data)),
        SLOW,
      );
      await worker.start();
      const client = peers.client(SLOW);
      await client.start();
      const held = ask(client, 'held');
      const [reply] = await running;
      // A reply that is written before the worker knows would be lost on its way.
      const lost = [client, worker].map((peer) => once(peer, 'disconnect'));
      child.kill();
      for (const each of lost) assert.equal((await each)[1], 'connection lost');
      assert.equal(reply.active(), true);
      reply.end('for later');
      const call = client.call(SERVICE, 'next');
      const next = runChild(t, program, args(peers));
      await next.said('started');
      assert.equal(await call, 'next');
      assert.deepEqual((await held).final, [null, 'for later']);
    });
  });
}

test(
  'a process that is stopped, and so silent, is lost after the liveness, and comes back by itself',
  STOPPING,
  async (t) => {
    const conf = { heartbeat: 150 };
    const peers = peersFor(t, 'tcp');
    const [broker, client] = [peers.broker(conf), peers.client(conf)];
    await start(broker, client);
    const child = runChild(t, silentWorker, args(peers, conf));
    const asked = ask(client, 1);
    await child.said('request');
    const gone = once(broker, 'workerGone');
    child.process.kill('SIGSTOP');
    assert.equal((await gone)[0].reason, 'heartbeat lost');
    assert.deepEqual((await asked).final, ['W_LOST']);
    const ready = once(broker, 'workerReady');
    child.process.kill('SIGCONT');
    await ready;
  },
);
