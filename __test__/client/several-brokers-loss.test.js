'use strict';
// A client of several brokers leaves one that dies, and comes back to it.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { runChild } = require('../support/child');
const { until } = require('../support/events');
const { SERVICE, ask, echo } = require('../support/peers');
const { cast, connected, several } = require('../support/several-brokers');

const SLOW = { heartbeat: 60_000 };
const BIG = Number(process.env.OMDP_REQUESTS ?? 4000);

describe('a client', () => {
  test('leaves a broker that is killed under load: what was in it is B_LOST in the end, and nothing else', async (t) => {
    const peers = several(t, 2, 'tcp');
    // What a lost broker had waits so long for the next one at its endpoint.
    const [conf, patience] = [{ heartbeat: 1000 }, 3000];
    const program = async ({ omdp, say, endpoint, conf }) => {
      await new omdp.Broker(endpoint, conf).start();
      say('started');
    };
    const children = peers.endpoints.map((endpoint) => runChild(t, program, { endpoint, conf }));
    await Promise.all(children.map((child) => child.said('started')));
    const workers = [peers.worker(echo, conf), peers.worker(echo, conf)];
    const c = peers.client({ ...conf, brokerGrace: patience });
    const ready = [...workers, c].map((peer) => connected(peer, 2));
    await Promise.all([...workers, c].map((peer) => peer.start()).concat(ready));

    const WINDOW = 100;
    const results = { answered: 0, lost: 0, afterLoss: 0 };
    let made = 0;
    const disconnected = once(c, 'disconnect');
    let gone = false;
    let goneAt = 0;
    disconnected.then(() => {
      gone = true;
      goneAt = performance.now();
    });
    const lane = async () => {
      while (made < BIG) {
        made += 1;
        if (made === BIG / 2) children[0].kill();
        const madeAfter = gone;
        try {
          await c.call(SERVICE, made, { timeout: 20_000 });
          results.answered += 1;
        } catch (error) {
          assert.equal(error.code, 'B_LOST');
          const after = performance.now() - goneAt;
          assert.ok(after > patience * 0.9, `${after} ms after the loss`);
          results.lost += 1;
          results.afterLoss += madeAfter ? 1 : 0;
        }
      }
    };
    await Promise.all(Array.from({ length: WINDOW }, lane));
    const [endpoint] = await disconnected;
    assert.equal(endpoint, peers.endpoints[0]);
    assert.equal(results.answered + results.lost, BIG);
    assert.ok(results.lost <= WINDOW, `${results.lost} lost`);
    assert.equal(results.afterLoss, 0);

    // The other goes too: now there is none, and what is asked waits for one.
    const second = once(c, 'disconnect');
    children[1].kill();
    await second;
    const call = c.call(SERVICE, 'patient');
    await runChild(t, program, { endpoint: peers.endpoints[0], conf }).said('started');
    assert.equal(await call, 'patient');
  });

  test('what runs when a broker is killed is answered by the next at its endpoint, while the other goes on', async (t) => {
    const peers = several(t, 2, 'tcp');
    const program = async ({ omdp, say, endpoint, conf }) => {
      await new omdp.Broker(endpoint, conf).start();
      say('started');
    };
    const launch = (endpoint) => runChild(t, program, { endpoint, conf: SLOW });
    const children = peers.endpoints.map(launch);
    await Promise.all(children.map((child) => child.said('started')));
    const replies = [];
    const handler = (data, reply) => (data === 'long' ? replies.push(reply) : reply.end(data));
    const [w, c] = [peers.worker(handler, { ...SLOW, concurrency: 3 }), peers.client(SLOW)];
    await Promise.all([connected(w, 2), connected(c, 2), w.start(), c.start()]);
    const parts = [];
    const asked = [0, 1].map(
      (at) =>
        new Promise((resolve) => {
          const onPartial = (error, data) => parts.push([at, error ?? data]);
          c.request(SERVICE, 'long', onPartial, (...final) => resolve(final));
        }),
    );
    await until(() => replies.length === 2);
    for (const reply of replies) reply.write(1);
    await until(() => parts.length === 2);
    const lost = [w, c].map((peer) => once(peer, 'disconnect'));
    children[0].kill();
    for (const each of lost) assert.equal((await each)[0], peers.endpoints[0]);
    assert.equal(await c.call(SERVICE, 'the other'), 'the other');
    assert.deepEqual(
      replies.map((reply) => reply.active()),
      [true, true],
    );
    for (const reply of replies) {
      reply.write(2);
      reply.end(3);
    }
    await launch(peers.endpoints[0]).said('started');
    for (const each of asked) assert.deepEqual(await each, [null, 3]);
    for (const at of [0, 1]) {
      assert.deepEqual(
        parts.filter(([of]) => of === at),
        [1, 2].map((n) => [at, n]),
      );
    }
    assert.equal(replies.length, 2);
  });

  test('what was not sent when its broker went is moved to another', async (t) => {
    const { brokers, endpoints, theClient: c } = await cast(t, { transport: 'tcp' });
    let answered = 0;
    for (let round = 0; round < 6; round += 1) {
      const back = once(c, 'connect');
      const stopping = brokers[round % 2].stop();
      // In every state of the link: nothing may stay behind at the one that is away.
      for (let i = 0; i < 50; i += 1) {
        const { final } = await ask(c, i, { timeout: 5000 });
        if (final[0] === null) answered += 1;
        else assert.equal(final[0], 'B_LOST');
      }
      await stopping;
      await brokers[round % 2].start();
      await back;
    }
    assert.ok(answered >= 294, `${answered} of 300`);
    assert.equal(endpoints.length, 2);
  });
});
