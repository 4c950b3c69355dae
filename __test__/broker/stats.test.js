'use strict';
// Snapshots of what the peers hold and have done.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { runChild } = require('../support/child');
const { TRANSPORTS } = require('../support/endpoints');
const { until } = require('../support/events');
const { MDP, MdpSocket } = require('../support/mdp');
const { OldClient } = require('../support/old');
const { SERVICE, ask, echo, peersFor, start } = require('../support/peers');

const NOTHING = { connected: false, outstanding: 0, queued: 0, running: 0 };

/** What a worker or client has in its hands. */
async function held(peer) {
  const { connected, outstanding, queued, running } = await peer.stats();
  return { connected, outstanding, queued, running };
}

function assertEmpty({ tables, services, workers, clients, requests, queued, queuedBytes, running }) {
  assert.deepEqual([services, workers], [[], []]);
  assert.deepEqual([clients, requests, queued, queuedBytes, running], [0, 0, 0, 0, 0]);
  for (const [table, size] of Object.entries(tables)) assert.equal(size, 0, table);
}

for (const transport of TRANSPORTS) {
  test(`a broker, a worker and a client at work, over ${transport}`, async (t) => {
    const peers = peersFor(t, transport);
    const running = [];
    let begun;
    const both = new Promise((resolve) => {
      begun = resolve;
    });
    const { broker, worker, client } = await peers.trio(
      (data, reply) => {
        if (data === 'wait') {
          running.push(reply);
          if (running.length === 2) begun();
        } else if (data === 'fail') reply.error('failed');
        else {
          reply.write('part');
          reply.end(data);
        }
      },
      { worker: { concurrency: 2, prefetch: 0, name: 'W1' } },
    );
    const waiting = [1, 2, 3].map(() => client.call(SERVICE, 'wait'));
    const nobody = client.call('nobody', null, { timeout: -1 });
    await both;
    // What was said before this has arrived.
    await assert.rejects(client.call('none', 0, { failFast: true }), { code: 'W_NONE' });
    const during = await broker.stats();
    const services = during.services.map(({ name, workers, idle, queued, queuedBytes, running }) => {
      return { name, workers, idle, queued, queuedBytes, running };
    });
    assert.deepEqual(services, [
      { name: SERVICE, workers: 1, idle: 0, queued: 1, queuedBytes: 23, running: 2 },
      { name: 'nobody', workers: 0, idle: 0, queued: 1, queuedBytes: 18, running: 0 },
    ]);
    const [{ since, silent, address, oldest, ...w1 }, ...others] = during.workers;
    const counts = { running: 2, ended: 0, failed: 0, rejected: 0 };
    assert.deepEqual(w1, { name: 'W1', service: SERVICE, dialect: 'omdp', ...counts });
    assert.ok(oldest > 0 && oldest <= since && silent >= 0 && others.length === 0);
    for (const peer of [{ address }, ...during.clientList]) {
      if (transport === 'tcp') assert.match(peer.address, /^127\.0\.0\.1:\d+$/);
      else assert.equal(peer.address, undefined);
    }
    assert.deepEqual([during.clients, during.requests, during.queued, during.running], [1, 4, 2, 2]);
    assert.deepEqual(await held(worker), { connected: true, outstanding: 2, queued: 0, running: 2 });
    assert.deepEqual(await held(client), { connected: true, outstanding: 4, queued: 0, running: 4 });

    for (const reply of running.splice(0)) reply.end();
    await Promise.all(waiting.slice(0, 2));
    running[0]?.end();
    while (running.length === 0) await new Promise((resolve) => setImmediate(resolve));
    running[0].end();
    await waiting[2];
    await ask(client, 'fail');
    await ask(client, 'final');
    const stopped = assert.rejects(nobody, { code: 'C_STOPPED' });
    await client.stop();
    await stopped;
    await worker.stop();
    const after = await broker.stats();
    assertEmpty(after);
    assert.deepEqual(after.counters, {
      requests: 7,
      replies: 4,
      failures: 1,
      partials: 1,
      errors: { W_NONE: 1 },
      expired: 0,
      cancelled: 1,
      retried: 0,
      rejected: 0,
      refused: 0,
      badMessages: 0,
      slowPeers: 0,
      overLimit: 0,
    });
    assert.deepEqual([await held(worker), await held(client)], [NOTHING, NOTHING]);
  });
}

test('dialects, bad messages, expired requests', async (t) => {
  const peers = peersFor(t, 'tcp');
  const [broker, client] = [peers.broker(), peers.client()];
  await start(broker, client);
  const [old, mdp] = [new OldClient(t, peers.endpoint), new MdpSocket(t, peers.endpoint, MDP[0], 'M')];
  await assert.rejects(client.call('nobody', 1, { failFast: true }), { code: 'W_NONE' });
  await assert.rejects(client.call('nobody', 1, { timeout: 20 }), { code: 'C_TIMEOUT' });
  assert.equal((await old.ask('nobody', 1, { timeout: 20 })).error, 'C_TIMEOUT');
  await old.send('C', '77');
  const [v01] = MDP;
  await mdp.send(v01.ready(SERVICE));
  await client.call(SERVICE, 1, { timeout: 20 }).catch(() => {});
  await old.ask('nobody', 1, { timeout: 20 });
  const { counters, dialects, workers } = await until(async () => {
    const stats = await broker.stats();
    return stats.counters.expired === 4 && stats;
  });
  assert.deepEqual([counters.errors, counters.badMessages], [{ C_TIMEOUT: 4, W_NONE: 1 }, 1]);
  assert.deepEqual(
    workers.map(({ name, service, dialect, running }) => [name, service, dialect, running]),
    [['M', SERVICE, 'mdp/0.1', 0]],
  );
  assert.deepEqual(dialects['mdp/0.1'], { workers: 1, clients: 0, messages: 1 });
  assert.equal(dialects.omdp.clients, 1);
});

describe('without a life', () => {
  test('all is zero, before the start and after the stop', async (t) => {
    const peers = peersFor(t, 'tcp');
    const [broker, worker, client] = [peers.broker(), peers.worker(echo), peers.client()];
    assertEmpty(await broker.stats());
    assert.deepEqual(await held(worker), NOTHING);
    const call = client.call(SERVICE, 1);
    assert.deepEqual(await held(client), { connected: false, outstanding: 1, queued: 1, running: 0 });
    await start(broker, worker, client);
    assert.equal(await call, 1);
    const asked = [broker, worker, client].map((peer) => [peer.stats(), peer.stop()]);
    for (const [stats] of asked) assert.equal(typeof (await stats), 'object');
    await Promise.all(asked.map(([, stopped]) => stopped));
    assertEmpty(await broker.stats());
    assert.equal((await broker.stats()).counters.requests, 0);
  });

  test('a snapshot that is waited for keeps the process', async (t) => {
    const peers = peersFor(t, 'tcp');
    await peers.broker().start();
    const child = runChild(
      t,
      async ({ omdp, say, endpoint }) => {
        const client = new omdp.Client(endpoint);
        await client.start();
        say('stats', await client.stats());
      },
      { endpoint: peers.endpoint },
    );
    assert.equal((await child.said('stats')).value.outstanding, 0);
    assert.equal((await child.ended).code, 0);
  });
});
