'use strict';
// Clients that nobody refers to any more.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { runChild } = require('../support/child');
const { deferred, until } = require('../support/events');
const { peersFor } = require('../support/peers');

/** Runs in the child. */
async function forgetful({ omdp, say, endpoint, count }) {
  const { setFlagsFromString } = require('node:v8');
  setFlagsFromString('--expose-gc');
  const gc = require('node:vm').runInNewContext('gc');
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
  const child = runChild(t, forgetful, { endpoint: peers.endpoint, count: 20 });
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
