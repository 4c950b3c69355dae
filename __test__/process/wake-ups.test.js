'use strict';
// How often the threads of a process sleep and are woken for one request: that is most of its time.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { runChild } = require('../support/child');
const { peersFor, SERVICE, start } = require('../support/peers');
const { COUNTING } = require('../support/resources');

const resources = require.resolve('../support/resources');
const REQUESTS = 300;

/** Runs in a child: a worker that answers how often the thread of its driver has slept. */
async function worker({ omdp, say, endpoint, service, resources }) {
  const { slept } = require(resources);
  const worker = new omdp.Worker(endpoint, service);
  worker.on('request', (_, reply) => reply.end(slept('omdp-peers')));
  worker.on('connect', () => say('connected'));
  await worker.start();
}

/** Runs in a child: one request after the other; says how often the threads of both have slept for each. */
async function client({ omdp, say, endpoint, service, resources, requests }) {
  const { slept } = require(resources);
  const client = new omdp.Client(endpoint);
  await client.start();
  const atWorker = await client.call(service);
  const atClient = slept('omdp-peers');
  let last;
  for (let i = 0; i < requests; i += 1) last = await client.call(service);
  say(
    'slept',
    [last - atWorker, slept('omdp-peers') - atClient].map((times) => times / requests),
  );
  await client.stop();
}

// A driver that is busy when a reply is submitted has not slept before it either.
test(
  'for a request, the native thread of the client sleeps once, and so does that of the worker',
  COUNTING,
  async (t) => {
    const peers = peersFor(t, 'tcp');
    await start(peers.broker());
    const args = { endpoint: peers.endpoint, service: SERVICE, resources, requests: REQUESTS };
    await runChild(t, worker, args).said('connected');
    const { value } = await runChild(t, client, args).said('slept');
    for (const times of value) assert.ok(times > 0 && times < 1.5, `${times} times`);
  },
);

/** The handles of this thread's event loop by which other threads wake it. */
function wakeHandles() {
  return process.report.getReport().libuv.filter(({ type }) => type === 'async').length;
}

// The event loop visits each of these handles at each wake-up.
test('all peers of a thread are woken by one handle of its event loop', async (t) => {
  const peers = peersFor(t);
  await peers.trio();
  const before = wakeHandles();
  await start(...Array.from({ length: 20 }, () => peers.client()));
  assert.equal(wakeHandles(), before);
});

/** Runs in the child: a hook of async resources starts a peer during the first start of its thread. */
async function startedByHook({ omdp, say, endpoint }) {
  const started = [];
  let isFirst = true;
  const init = (_id, type) => {
    // What other threads wake this one by.
    if (!isFirst || !type.includes('threadsafe_function')) return;
    isFirst = false;
    const client = new omdp.Client(endpoint);
    started.push(client, client.start());
  };
  const client = new omdp.Client(endpoint);
  const hook = require('node:async_hooks').createHook({ init }).enable();
  const start = client.start();
  hook.disable();
  await Promise.all([start, ...started]);
  await Promise.all([client.stop(), started[0].stop()]);
  say('stopped', started.length);
}

test('a hook may start a peer within the first start of its thread', async (t) => {
  const child = runChild(t, startedByHook, { endpoint: 'inproc://nobody' });
  assert.equal((await child.said('stopped')).value, 2);
});
