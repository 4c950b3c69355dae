'use strict';
// Clients that nobody refers to any more.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { runChild } = require('../support/child');
const { deferred, until } = require('../support/events');
const { peersFor } = require('../support/peers');

const collector = require.resolve('../support/gc');

/** Runs in the child. */
async function forgetful({ omdp, say, collector, endpoint, count }) {
  const gc = require(collector);
  const warnings = [];
  process.on('warning', ({ code, message }) => warnings.push({ code, message }));
  async function forget(n) {
    const client = new omdp.Client(endpoint, { name: `forgotten-${n}` });
    await client.start();
    await client.call('service', n);
  }
  for (let n = 0; n < count; n += 1) await forget(n);

  // This one is referred to by its request alone.
  let answer;
  (() => {
    const client = new omdp.Client(endpoint);
    client.start();
    answer = client.call('late', 1);
  })();
  const last = new omdp.Client(endpoint);
  await last.start();
  while (warnings.length === 0) {
    gc();
    await new Promise(setImmediate);
  }
  say('warned', warnings);
  await last.call('release', 1);
  say('answer', await answer);
  await last.stop();
}

test('are collected when they are idle, with a warning, and leave the broker', async (t) => {
  const peers = peersFor(t, 'tcp');
  const { broker } = await peers.trio((data, reply) => reply.end(data));
  const late = deferred();
  const holder = peers.worker(
    (_data, reply) => {
      late.resolve(reply);
    },
    { service: 'late' },
  );
  const release = peers.worker(
    async (_data, reply) => {
      (await late.promise).end('answered');
      reply.end();
    },
    { service: 'release' },
  );
  await Promise.all([holder.start(), release.start()]);
  const child = runChild(t, forgetful, { collector, endpoint: peers.endpoint, count: 20 });
  const [{ code, message }] = (await child.said('warned')).value;
  assert.equal(code, 'OMDP_NOT_STOPPED');
  assert.match(
    message,
    /^Client "forgotten-\d+" of tcp:.* was garbage-collected while it ran: call stop\(\)/,
  );
  assert.equal((await child.said('answer')).value, 'answered');
  const { code: exitCode, stderr } = await child.ended;
  assert.equal(exitCode, 0, stderr);
  // What is left is the client of this test.
  await until(async () => (await broker.stats()).clients === 1);
});

/** Runs in the child: the first start of its thread, and a second one, each in a store of its own. */
async function inStores({ omdp, say, collector }) {
  const { AsyncLocalStorage } = require('node:async_hooks');
  const gc = require(collector);
  const stores = new AsyncLocalStorage();
  const refs = [];
  const run = async () => {
    refs.push(new WeakRef(stores.getStore()));
    const client = new omdp.Client('inproc://nobody');
    await client.start();
    await client.stop();
  };
  for (const name of ['first', 'second']) await stores.run({ name }, run);
  const kept = () => refs.flatMap((ref) => ref.deref()?.name ?? []);
  for (let rounds = 0; rounds < 100 && kept().length > 0; rounds += 1) {
    await new Promise(setImmediate);
    gc();
  }
  say('kept', kept());
}

test('a start keeps nothing of the async context that it was called in', async (t) => {
  const child = runChild(t, inStores, { collector });
  assert.deepEqual((await child.said('kept')).value, []);
});
