'use strict';
// Requests that a worker is handed before it can start them: a matter of speed that must not be seen.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { test } = require('node:test');
const { runChild } = require('../support/child');
const { deferred } = require('../support/events');
const { SERVICE, echo, peersFor, start } = require('../support/peers');
const { rawRouter } = require('../support/raw');

/** A worker in a process of its own, of which some requests ask for something nasty. */
function workerProgram({ omdp, say, endpoint, service }) {
  const worker = new omdp.Worker(endpoint, service);
  worker.on('request', (data, reply) => {
    if (data === 'hang') {
      say('hanging');
      return;
    }
    if (data === 'block') {
      say('blocked');
      require('node:fs').readSync(0, Buffer.alloc(16));
    }
    reply.end(data);
  });
  worker.start();
}

/** Enough of a fast handler that the broker hands over many requests at a time. */
async function warm(client, count = 2000) {
  const all = await Promise.all(Array.from({ length: count }, (_, i) => client.call(SERVICE, i)));
  assert.deepEqual(
    all,
    Array.from({ length: count }, (_, i) => i),
  );
}

/** A handler that counts how many of it run. */
function counting(run) {
  const seen = { running: 0, most: 0 };
  seen.handler = async (data, reply) => {
    seen.running += 1;
    seen.most = Math.max(seen.most, seen.running);
    await run(data);
    seen.running -= 1;
    reply.end(data);
  };
  return seen;
}

for (const [name, run] of [
  ['synchronous', () => {}],
  ['asynchronous', () => new Promise(setImmediate)],
]) {
  test(`handlers never overlap at concurrency 1: ${name}`, async (t) => {
    const seen = counting(run);
    const { client } = await peersFor(t, 'tcp').trio(seen.handler);
    await warm(client);
    assert.equal(seen.most, 1);
  });
}

test('without it, requests start in the order in which they were made', async (t) => {
  const order = [];
  const handler = (data, reply) => {
    order.push(data);
    reply.end(data);
  };
  const { client } = await peersFor(t).trio(handler, { worker: { prefetch: 0 } });
  await warm(client);
  assert.deepEqual(order, Array.from(order.keys()));
});

for (const prefetch of [0, 1024]) {
  test(`no request waits behind a slow one while another worker idles: prefetch ${prefetch}`, async (t) => {
    const peers = peersFor(t);
    const gate = deferred();
    let blocked = 0;
    const slow = peers.worker(
      async (data, reply) => {
        if (data === 'slow') {
          blocked += 1;
          await gate.promise;
        }
        reply.end(data);
      },
      { prefetch },
    );
    const [broker, client] = [peers.broker(), peers.client()];
    await start(broker, slow, client);
    await warm(client);

    // With one worker alone, all of these are on their way to it before the first is known to be slow.
    const first = client.call(SERVICE, 'slow');
    const others = Array.from({ length: 300 }, (_, i) => client.call(SERVICE, i));
    await start(peers.worker(echo));
    await Promise.all(others);
    assert.equal(blocked, 1);
    gate.resolve();
    assert.equal(await first, 'slow');
  });
}

test('a worker tells its broker how long its handler takes, and how long it held the request', async (t) => {
  const peers = peersFor(t, 'tcp');
  const router = await rawRouter(t, peers.endpoint);
  const spin = (data, reply) => {
    const end = performance.now() + data;
    while (performance.now() < end);
    reply.end(data);
  };
  await peers.worker(spin).start();
  const [from] = await router.receive();
  await router.send([from, 'W', '1', '{"omdp":1,"heartbeat":2500,"liveness":3}']);
  const given = [];
  const send = (token) => {
    const ext = Buffer.alloc(9);
    ext[8] = token;
    return router.send([from, 'W', '2', 'client', 'rid', `${given[token - 1]}`, '{}', ext]);
  };
  const give = (ms) => send(given.push(ms));
  /** The extension of the next reply. What the worker gave back, because it was held up, it gets again. */
  const replied = async () => {
    for (;;) {
      const frames = await router.receive();
      if (`${frames[2]}` !== '9') return frames.at(-1);
      for (let at = 7; at < frames[3].length; at += 8) await send(frames[3][at]);
    }
  };
  // Both are there when the first begins, so the second waits for it.
  await Promise.all([give(3), give(1)]);
  const [first, second] = [await replied(), await replied()];
  assert.deepEqual([first[0], first.length, first[8]], [0x10, 15, 1]);
  const service = first.readUInt16BE(9);
  const held = first.readUInt32BE(11);
  assert.ok(service >= 3000, `${service} µs`);
  assert.ok(held >= 3000, `${held} µs`);
  // The average has changed, or it has not: what is told is never less than the handlers took.
  if (second.length > 9) assert.ok(second.readUInt16BE(9) >= 2000);

  // Some more, and it is only told what changed.
  await Promise.all(Array.from({ length: 100 }, () => give(0.01)));
  let told = 0;
  for (let i = 0; i < 100; i++) told += Number((await replied()).length > 9);
  assert.ok(told > 0 && told < 60, `${told} of 100`);
});

test('a handler that blocks its thread keeps nothing from the others', async (t) => {
  const peers = peersFor(t, 'tcp');
  const [broker, client] = [peers.broker(), peers.client()];
  await start(broker, client);
  const child = runChild(t, workerProgram, { endpoint: peers.endpoint, service: SERVICE });
  await once(broker, 'workerReady');
  await warm(client);
  let unblocked = false;
  const blocking = client.call(SERVICE, 'block').then((data) => {
    unblocked = true;
    return data;
  });
  const others = Array.from({ length: 300 }, (_, i) => client.call(SERVICE, i));
  await child.said('blocked');
  await start(peers.worker(echo));
  await Promise.all(others);
  assert.equal(unblocked, false);
  child.tell('go on');
  assert.equal(await blocking, 'block');
});

test('concurrency bounds what runs, may change while it runs, and -1 is no bound', async (t) => {
  const running = new Set();
  const gates = [];
  let most = 0;
  const { worker, client } = await peersFor(t).trio(
    async (data, reply) => {
      running.add(data);
      most = Math.max(most, running.size);
      const gate = deferred();
      gates.push({ data, ...gate });
      worker.emit('begun');
      await gate.promise;
      running.delete(data);
      reply.end(data);
    },
    { worker: { concurrency: 3 } },
  );
  const begun = async (count) => {
    while (gates.length < count) await once(worker, 'begun');
  };
  const calls = Array.from({ length: 12 }, (_, i) => client.call(SERVICE, i));
  await begun(3);
  gates[0].resolve();
  await begun(4);
  assert.equal(most, 3);

  worker.concurrency = 5;
  await begun(6);
  assert.equal(running.size, 5);
  assert.equal(most, 5);

  // Those that run are left alone; the next comes when fewer than two do.
  worker.concurrency = 2;
  for (const gate of gates.slice(1, 4)) gate.resolve();
  await Promise.all(gates.slice(1, 4).map(({ data }) => calls[data]));
  assert.equal(gates.length, 6);
  gates[4].resolve();
  await begun(7);
  assert.equal(running.size, 2);

  worker.concurrency = -1;
  await begun(12);
  assert.equal(running.size, 7);
  for (const gate of gates) gate.resolve();
  await Promise.all(calls);
});

test('what had not started when its worker was killed goes to another, what had does not', async (t) => {
  const peers = peersFor(t, 'tcp');
  const [broker, client] = [peers.broker(), peers.client()];
  await start(broker, client);
  const child = runChild(t, workerProgram, { endpoint: peers.endpoint, service: SERVICE });
  await once(broker, 'workerReady');
  const started = client.call(SERVICE, 'hang', { timeout: -1 });
  const outcome = assert.rejects(started, { code: 'W_LOST' });
  await child.said('hanging');
  const others = Array.from({ length: 50 }, (_, i) => client.call(SERVICE, i));
  child.kill();
  await outcome;
  const again = [];
  const handler = (data, reply) => {
    again.push(data);
    reply.end(data);
  };
  await start(peers.worker(handler, { prefetch: 0 }));
  await Promise.all(others);
  assert.deepEqual(again, Array.from(again.keys()));
  assert.equal(again.length, 50);
});
