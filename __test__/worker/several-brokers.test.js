'use strict';
// A worker of several brokers serves all of them with one concurrency.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { Worker } = require('../..');
const { deferred, namesOf, record, until } = require('../support/events');
const { SERVICE, ask, echo } = require('../support/peers');
const { cast, connected, several } = require('../support/several-brokers');

describe('a worker', () => {
  test('has one request at a time, whichever broker it is of', async (t) => {
    let running = 0;
    let most = 0;
    const handler = async (data, reply) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, data % 20 === 0 ? 8 : 0));
      running -= 1;
      reply.end(data);
    };
    const { endpoints, client } = await cast(t, { handler, brokers: 3 });
    const clients = endpoints.map((endpoint) => client({}, endpoint));
    await Promise.all(clients.map((each) => each.start()));
    const calls = Array.from({ length: 300 }, (_, i) => clients[i % 3].call(SERVICE, i));
    assert.deepEqual(
      await Promise.all(calls),
      calls.map((_, i) => i),
    );
    assert.equal(most, 1);
  });

  test('has as many as its concurrency allows over all brokers, which may change', async (t) => {
    const replies = [];
    const { endpoints, client, theWorker } = await cast(t, {
      handler: (_data, reply) => replies.push(reply),
      worker: { concurrency: 3 },
    });
    const clients = endpoints.map((endpoint) => client({}, endpoint));
    await Promise.all(clients.map((each) => each.start()));
    const calls = Array.from({ length: 20 }, (_, i) => clients[i % 2].call(SERVICE, i));
    await until(() => replies.length === 3);
    theWorker.concurrency = 5;
    await until(() => replies.length === 5);
    theWorker.concurrency = 1;
    for (let i = 0; i < 4; i += 1) replies[i].end('early');
    // Whatever the brokers give beyond that they have given when another service has answered.
    const barrier = new Worker(endpoints, 'barrier');
    t.after(() => barrier.stop());
    barrier.on('request', echo);
    await Promise.all([connected(barrier, 2), barrier.start()]);
    await Promise.all(clients.map((each) => each.call('barrier')));
    assert.equal(replies.length, 5);
    theWorker.concurrency = -1;
    for (let done = 4; done < calls.length; done += 1) {
      await until(() => replies.length > done);
      replies[done].end('late');
    }
    await Promise.all(calls);
  });

  test('gives back to one broker what it can’t start because it is busy for the other', async (t) => {
    const held = deferred();
    const { endpoints, client, worker } = await cast(t, {
      handler: (data, reply) => {
        if (data === 'long') held.resolve(reply);
        else reply.end('the busy one');
      },
    });
    const [a, b] = endpoints.map((endpoint) => client({}, endpoint));
    await Promise.all([a.start(), b.start()]);
    const long = a.call(SERVICE, 'long');
    const reply = await held.promise;
    const short = b.call(SERVICE, 'short');
    const other = worker((_data, reply) => reply.end('the other one'), {}, endpoints[1]);
    await other.start();
    assert.equal(await short, 'the other one');
    await other.stop();

    // Without another one it waits in its queue, and is given as soon as there is room again.
    const next = b.call(SERVICE, 'short');
    reply.end('done');
    assert.deepEqual(await Promise.all([long, next]), ['done', 'the busy one']);
  });

  test('what a lost broker’s request still does takes up room', async (t) => {
    const held = deferred();
    const started = [];
    const { brokers, endpoints, client, theWorker } = await cast(t, {
      handler: (data, reply) => {
        started.push(data);
        if (data === 'long') held.resolve(reply);
        else reply.end(data);
      },
    });
    const [a, b] = endpoints.map((endpoint) => client({}, endpoint));
    await Promise.all([a.start(), b.start()]);
    const long = ask(a, 'long');
    const reply = await held.promise;
    const lost = once(theWorker, 'disconnect');
    await brokers[0].stop({ discard: true });
    await lost;
    assert.deepEqual((await long).final, ['B_LOST']);
    assert.equal(reply.active(), false);
    const next = b.call(SERVICE, 'next');
    const other = several(t).worker((_data, r) => r.end('another'), {}, endpoints[1]);
    await other.start();
    assert.equal(await next, 'another', 'given back, as the first is still busy');
    assert.deepEqual(started, ['long']);
    await other.stop();
    reply.end('for nobody');
    assert.equal(await b.call(SERVICE, 'again'), 'again');
  });

  test('stop() sees the requests of all brokers to their ends', async (t) => {
    const replies = [];
    const { endpoints, client, theWorker } = await cast(t, {
      // It may still get the third when the first has ended and the worker has not begun to stop.
      handler: (data, reply) => (data === 'third' ? reply.end(data) : replies.push(reply)),
      worker: { concurrency: 2 },
    });
    const clients = endpoints.map((endpoint) => client({}, endpoint));
    await Promise.all(clients.map((each) => each.start()));
    const calls = clients.map((each, i) => each.call(SERVICE, i));
    await until(() => replies.length === 2);
    const waiting = ask(clients[0], 'third');
    const log = record(theWorker);
    const stopped = theWorker.stop();
    replies[0].end('a');
    await once(theWorker, 'disconnect');
    assert.equal(log.length, 1);
    replies[1].end('b');
    await stopped;
    // Which of the brokers is the first to give its request is open.
    assert.deepEqual((await Promise.all(calls)).sort(), ['a', 'b']);
    assert.deepEqual(namesOf(log), ['disconnect', 'disconnect', 'stop']);
    await several(t).worker(echo, {}, endpoints[0]).start();
    assert.deepEqual((await waiting).final, [null, 'third']);
  });

  test('stop({ timeout }) ends those of all brokers with W_LOST', async (t) => {
    const replies = [];
    const { endpoints, client, theWorker } = await cast(t, {
      handler: (_data, reply) => replies.push(reply),
      worker: { concurrency: -1 },
    });
    const clients = endpoints.map((endpoint) => client({}, endpoint));
    await Promise.all(clients.map((each) => each.start()));
    const asked = clients.map((each, i) => ask(each, i));
    await until(() => replies.length === 2);
    await theWorker.stop({ timeout: 10 });
    for (const each of asked) assert.deepEqual((await each).final, ['W_LOST']);
    assert.deepEqual(
      replies.map((reply) => reply.active()),
      [false, false],
    );
  });
});
