'use strict';
// Brokers that are killed, and what becomes of the requests that they had. `OMDP_RESTARTS=30` has the last test kill
// as many, one each two seconds, and print what it saw.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { STOPPING, runChild } = require('../support/child');
const { record, until } = require('../support/events');
const { REMOTE_TRANSPORTS, freshEndpoint } = require('../support/endpoints');
const { SERVICE, ask, peersFor, start } = require('../support/peers');
const { brokerProgram, killAgainAndAgain } = require('../support/restarts');

const CONF = { heartbeat: 500 };

/** A broker in a process of its own. */
async function broker(t, peers) {
  const child = runChild(t, brokerProgram, { endpoint: peers.endpoint, conf: CONF });
  await child.said('started');
  return child;
}

/** Kills the broker; another has its address when this is over. */
async function replace(t, peers, child) {
  child.kill();
  await child.ended;
  return broker(t, peers);
}

/** A worker whose replies are in the hands of the test, in the order of its requests. */
function heldWorker(peers, conf) {
  const arrived = [];
  const waiting = [];
  const worker = peers.worker(
    (data, reply) => {
      const next = waiting.shift();
      if (next === undefined) arrived.push({ data, reply });
      else next({ data, reply });
    },
    { ...CONF, ...conf },
  );
  const next = () => {
    const first = arrived.shift();
    return first === undefined ? new Promise((resolve) => waiting.push(resolve)) : first;
  };
  return { worker, next };
}

/** A broker to be killed, a worker in the hands of the test, and a client that knows its broker, however soon that dies. */
async function scene(t, transport, conf) {
  const peers = peersFor(t, transport);
  const child = await broker(t, peers);
  const { worker, next } = heldWorker(peers, conf);
  const client = peers.client({ ...CONF, ...conf });
  await start(worker, client);
  await client.call('mmi.service', SERVICE);
  return { peers, child, worker, client, next };
}

/**
 * A client is told that its request is parked by a message that no user sees. The broker does it 75 ms after the request
 * began to wait, at the latest, and says for how long it has waited.
 */
const parked = (client) =>
  until(async () => (await client.call('mmi.metrics')).services.some(({ oldest }) => oldest > 100));

for (const transport of REMOTE_TRANSPORTS) {
  describe(`over ${transport}`, () => {
    test('a handler in the middle of a request notices nothing, and its client gets the reply', async (t) => {
      const { peers, child, worker, client, next } = await scene(t, transport);
      const asked = ask(client, 'long');
      const { reply } = await next();
      const back = once(worker, 'disconnect').then(() => once(worker, 'connect'));
      await replace(t, peers, child);
      await back;
      assert.equal(reply.active(), true);
      assert.equal(reply.signal.aborted, false);
      reply.end('done');
      assert.deepEqual(await asked, { partials: [], final: [null, 'done'] });
    });

    test('a reply that ends while there is no broker arrives through the next', async (t) => {
      const { peers, child, worker, client, next } = await scene(t, transport);
      const asked = ask(client, 'long');
      const { reply } = await next();
      const lost = once(worker, 'disconnect');
      child.kill();
      await lost;
      reply.write('a part');
      reply.end('done');
      await broker(t, peers);
      assert.deepEqual(await asked, { partials: [[null, 'a part']], final: [null, 'done'] });
    });

    // The broker reads nothing any more: what is said to it now dies with it.
    test('a reply that ends as the broker dies arrives through the next', STOPPING, async (t) => {
      const { peers, child, worker, client, next } = await scene(t, transport);
      const asked = ask(client, 'long');
      const { reply } = await next();
      child.process.kill('SIGSTOP');
      reply.write('a part');
      reply.end('done');
      await until(async () => (await worker.stats()).outstanding === 0);
      await replace(t, peers, child);
      assert.deepEqual(await asked, { partials: [[null, 'a part']], final: [null, 'done'] });
    });

    test('parts go on where they were, in order, none lost and none doubled', async (t) => {
      const { peers, child: first, worker, client, next } = await scene(t, transport);
      let child = first;
      const stream = client.requestStream(SERVICE, 'long');
      const log = record(stream, ['data', 'end', 'error']);
      const { reply } = await next();
      for (let n = 0; n < 4; n++) {
        const arrived = once(stream, 'data');
        reply.write(n);
        await arrived;
        if (n === 1) {
          const back = once(worker, 'disconnect').then(() => once(worker, 'connect'));
          child = await replace(t, peers, child);
          await back;
        }
      }
      reply.end(4);
      await once(stream, 'end');
      const parts = log.filter(([name]) => name === 'data').map(([, part]) => part);
      assert.deepEqual(parts, [0, 1, 2, 3, 4]);
    });

    test('what waited behind a busy worker runs once, after it', async (t) => {
      const { peers, child, client, next } = await scene(t, transport);
      const first = ask(client, 'first');
      const { reply } = await next();
      const second = ask(client, 'second');
      const third = ask(client, 'third');
      await parked(client);
      await replace(t, peers, child);
      reply.end(1);
      for (const expected of ['second', 'third']) {
        const { data, reply } = await next();
        assert.equal(data, expected);
        reply.end(data);
      }
      assert.deepEqual((await first).final, [null, 1]);
      assert.deepEqual((await second).final, [null, 'second']);
      assert.deepEqual((await third).final, [null, 'third']);
    });

    test('what waited for a worker that there was not yet runs once, when there is one', async (t) => {
      const peers = peersFor(t, transport);
      const child = await broker(t, peers);
      const client = peers.client(CONF);
      await client.start();
      const asked = ask(client, 'patient');
      await parked(client);
      await replace(t, peers, child);
      const { worker, next } = heldWorker(peers);
      await worker.start();
      const { data, reply } = await next();
      reply.end(data);
      assert.deepEqual((await asked).final, [null, 'patient']);
    });
  });
}

test('when no broker comes back, what was running ends with B_LOST on both sides', async (t) => {
  const { child, client, next } = await scene(t, 'tcp', { brokerGrace: 500 });
  const asked = ask(client, 'long');
  const { reply } = await next();
  const aborted = once(reply.signal, 'abort');
  child.kill();
  assert.deepEqual((await asked).final, ['B_LOST']);
  await aborted;
  assert.equal(reply.signal.reason.code, 'B_LOST');
});

test('stop() ends what waits for a broker at once', async (t) => {
  const { child, client, next } = await scene(t, 'tcp');
  const asked = ask(client, 'long');
  await next();
  const lost = once(client, 'disconnect');
  child.kill();
  await lost;
  await client.stop();
  assert.deepEqual((await asked).final, ['C_STOPPED']);
});

test('under load every request ends once and none runs twice, however often the broker is killed', async (t) => {
  const kills = Number(process.env.OMDP_RESTARTS ?? 3);
  const every = process.env.OMDP_RESTARTS === undefined ? 700 : 2000;
  const patience = 60_000 + kills * (every + 1000);
  const run = (program, args) => runChild(t, program, args, { patience });
  const result = await killAgainAndAgain(run, { endpoint: freshEndpoint('tcp'), kills, every });
  const { asked, ends, codes, faults, twice } = result;
  const share = (100 * (codes.B_LOST ?? 0)) / asked;
  t.diagnostic(`${asked} requests, ${kills} kills: ${JSON.stringify(codes)}, B_LOST ${share.toFixed(2)} %`);
  assert.deepEqual(faults, []);
  assert.deepEqual(twice, []);
  assert.equal(ends, asked);
  assert.deepEqual(Object.keys(codes), ['answered']);
});
