'use strict';
// A flood of nonsense at processes that are at work: nobody who behaves loses a request, and nothing piles up.
// OMDP_MESSAGES=1000000 sends more, OMDP_SEED others.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { runChild } = require('../support/child');
const { MODELS, generator, nonsense } = require('../support/nonsense');
const { SERVICE, peersFor, start } = require('../support/peers');
const { rawDealer, rawRouter, toText } = require('../support/raw');

const MESSAGES = Number(process.env.OMDP_MESSAGES ?? 50_000);
const SEED = Number(process.env.OMDP_SEED ?? 1);

/** Between two looks at whether everything was taken: so nothing piles up on the way there. */
const BATCH = 1000;

/** What a process may grow by, in MB, however many messages it gets. The first tenth of them warms it up. */
const GROWTH = 64;

/** Only turns a child that hangs into a test that fails. */
const options = { patience: 60_000 + MESSAGES };

/** Runs in the child. */
async function brokerProgram({ omdp, say, endpoint }) {
  const broker = new omdp.Broker(endpoint);
  // Not every one is an event.
  process.stdin.on('data', async () => {
    const { badMessages: bad } = (await broker.stats()).counters;
    say('counts', { bad, rss: process.memoryUsage.rss() / 2 ** 20 });
  });
  await broker.start();
  say('started');
}

/** Runs in the child: a worker, and a client with one request. */
async function peersProgram({ omdp, say, endpoint, service }) {
  const conf = { heartbeat: 600_000 };
  const worker = new omdp.Worker(endpoint, service, { ...conf, name: 'W', concurrency: -1 });
  const client = new omdp.Client(endpoint, { ...conf, name: 'C', timeout: -1 });
  worker.on('request', (data, reply) => reply.end(data));
  const bad = [0, 0];
  for (const [index, peer] of [worker, client].entries()) {
    peer.on('badMessage', () => {
      bad[index] += 1;
    });
  }
  process.stdin.on('data', () => say('counts', { bad, rss: process.memoryUsage.rss() / 2 ** 20 }));
  await Promise.all([worker.start(), client.start()]);
  say('answer', await client.call(service, 'goes on'));
}

/** A child says the same words again and again; this waits for the next time. */
async function counts(child) {
  child.forget('counts');
  child.tell('counts');
  return (await child.said('counts')).value;
}

function assertSensible({ bad, rss }, warm, sent) {
  assert.ok(bad > sent / 10 && bad <= sent, `${bad} of ${sent} were bad`);
  assert.ok(rss < warm.rss + GROWTH, `from ${warm.rss | 0} to ${rss | 0} MB`);
}

test(`${MESSAGES} messages of nonsense to a broker that others are served by`, async (t) => {
  const peers = peersFor(t, 'tcp');
  const args = { endpoint: peers.endpoint };
  const child = runChild(t, brokerProgram, args, options);
  await child.said('started');
  const [worker, client] = [peers.worker((data, reply) => reply.end(data)), peers.client()];
  await start(worker, client);
  const lost = [];
  for (const peer of [worker, client]) peer.on('disconnect', (...why) => lost.push(why));

  const below = generator(SEED);
  const dialects = [
    { models: MODELS.toBroker, intact: 0, last: (id) => ['C', '2', 'mmi.service', id, '"a"', '{}'] },
    { models: MODELS.mdpToBroker, intact: 2, last: (id) => ['', 'MDPC01', 'mmi.service', id] },
  ];
  let warm;
  let served = 0;
  for (let batch = 0; batch * BATCH < MESSAGES; batch += 1) {
    const { models, intact, last } = dialects[batch % 2];
    const dealer = rawDealer(t, peers.endpoint, `nonsense-${batch}`);
    const calls = [];
    for (let i = 0; i < BATCH; i += 1) {
      await dealer.send(nonsense(below, models, intact));
      if (i % 100 === 0) calls.push(client.call(SERVICE, [batch, i]));
    }
    const answers = await Promise.all(calls);
    for (const [i, answer] of answers.entries()) assert.deepEqual(answer, [batch, i * 100]);
    served += answers.length;
    // Once this is answered the broker has been through all of them.
    await dealer.send(last('the last'));
    for (;;) {
      const frames = toText(await dealer.receive());
      // A hello among the nonsense may have told it to pack its frames.
      if (frames.join().includes('the last') || frames[2] === 'mmi.service') break;
    }
    dealer.close();
    if (warm === undefined && batch * BATCH >= MESSAGES / 10) warm = await counts(child);
  }
  assert.equal(served, (Math.ceil(MESSAGES / BATCH) * BATCH) / 100);
  assert.deepEqual(lost, []);
  assertSensible(await counts(child), warm, MESSAGES);
});

test(`${MESSAGES} messages of nonsense to a worker and a client`, async (t) => {
  const peers = peersFor(t, 'tcp');
  const router = await rawRouter(t, peers.endpoint);
  const args = { endpoint: peers.endpoint, service: SERVICE };
  const child = runChild(t, peersProgram, args, options);
  let request;
  let answered = () => {};
  let there = 0;
  const arrived = new Promise((resolve) => {
    const receiving = async () => {
      for await (const message of router) {
        const [from, , command, ...rest] = toText(message);
        if (command === '1') there += 1;
        if (from === 'C' && command === '2') request = rest[1];
        if (request !== undefined && there === 2) resolve();
        // A hello among the nonsense may have told it to pack its frames.
        if (from === 'W' && message.join().includes('the last')) answered();
      }
    };
    receiving().catch(() => {});
  });
  await arrived;

  const below = generator(SEED);
  let warm;
  for (let sent = 0; sent < MESSAGES; ) {
    for (let i = 0; i < BATCH; i += 2, sent += 2) {
      await router.send(['W', ...nonsense(below, MODELS.toWorker)]);
      await router.send(['C', ...nonsense(below, MODELS.toClient)]);
    }
    const last = new Promise((resolve) => {
      answered = resolve;
    });
    await router.send(['W', 'W', '2', 'client', 'the last', '"word"']);
    await last;
    if (warm === undefined && sent >= MESSAGES / 10) warm = await counts(child);
  }
  await router.send(['C', 'C', '3', request, '0', '"it does"']);
  // It has been through all that came before.
  assert.equal((await child.said('answer')).value, 'it does');
  const { bad, rss } = await counts(child);
  for (const each of bad) assertSensible({ bad: each, rss }, warm, MESSAGES / 2);
});
