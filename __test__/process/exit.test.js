'use strict';
// How a process ends that uses the package: by itself, soon, with exit code 0.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { runChild } = require('../support/child');
const { TRANSPORTS } = require('../support/endpoints');
const { SERVICE, echo, peersFor, start } = require('../support/peers');

/** An end takes half a second of an idle machine. A peer that kept the process alive would do so for longer than this. */
const SOON = 20_000;

/** That it ended by itself, and soon after it said `what`. Times are the machine's one clock. */
async function assertEndsSoon(child, what = 'stopping', output = /^$/) {
  const { code, signal, at, stderr, said } = await child.ended;
  assert.match(stderr, output);
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
  const from = said.find((line) => line.what === what);
  assert.ok(from, `it never said "${what}"`);
  assert.ok(at - from.at < SOON, `${at - from.at} ms from "${what}" to the end`);
}

/** Makes the three peers, with a handler that answers unless it is asked to be silent. Runs in the child. */
const CAST = `
  const broker = new omdp.Broker(endpoint);
  const worker = new omdp.Worker(endpoint, 'service', { concurrency: -1 });
  worker.on('request', (data, reply) => data === 'silence' || reply.end(data));
  const client = new omdp.Client(endpoint);
  const startAll = () => Promise.all([broker.start(), worker.start(), client.start()]);
`;

/** A program that begins with the cast. */
function withCast(t, endpoint, body, options) {
  return runChild(t, `async ({ omdp, say, endpoint }) => { ${CAST} ${body} }`, { endpoint }, options);
}

for (const transport of TRANSPORTS) {
  describe(`over ${transport}, a process ends`, () => {
    const endpointFor = (t) => peersFor(t, transport).endpoint;

    test('after all three were stopped', async (t) => {
      const child = withCast(
        t,
        endpointFor(t),
        `await startAll();
        for (let i = 0; i < 10; i += 1) await client.call('service', i);
        say('stopping');
        broker.stop(); worker.stop(); client.stop();`,
      );
      await assertEndsSoon(child);
    });

    test('after all three were stopped in the middle of 1000 requests', async (t) => {
      const child = withCast(
        t,
        endpointFor(t),
        `await startAll();
        for (let i = 0; i < 1000; i += 1) client.request('service', i);
        await client.call('service', 'one is through');
        say('stopping');
        broker.stop(); worker.stop(); client.stop();`,
      );
      await assertEndsSoon(child);
    });

    test('after stop() while a handler never replies', async (t) => {
      const child = withCast(
        t,
        endpointFor(t),
        `await startAll();
        client.request('service', 'silence');
        worker.on('request', () => {
          say('stopping');
          broker.stop(); worker.stop(); client.stop();
        });`,
      );
      await assertEndsSoon(child);
    });

    for (const role of ['worker', 'client']) {
      test(`after stop() of a ${role} whose broker is absent, with messages pending`, async (t) => {
        const child = withCast(
          t,
          endpointFor(t),
          `await ${role}.start();
          for (let i = 0; i < 100; i += 1) client.request('service', i);
          say('stopping');
          await ${role}.stop();
          await client.stop();`,
        );
        // With the worker's role the client was never started.
        await assertEndsSoon(child, 'stopping', role === 'worker' ? /OMDP_NOT_STARTED/ : undefined);
      });

      test(`after stop() of a ${role} that never found its broker, right after start()`, async (t) => {
        const child = withCast(t, endpointFor(t), `${role}.start(); say('stopping'); ${role}.stop();`);
        await assertEndsSoon(child);
      });
    }

    test('by process.exit() in the middle of traffic', async (t) => {
      const child = withCast(
        t,
        endpointFor(t),
        `await startAll();
        let answered = 0;
        const again = () => {
          answered += 1;
          if (answered === 200) { say('stopping'); process.exit(0); }
          client.request('service', answered, null, again);
        };
        for (let i = 0; i < 20; i += 1) again();`,
      );
      await assertEndsSoon(child);
    });
  });
}

describe('a process ends', () => {
  test('by process.exit() with the code it was given', async (t) => {
    const child = withCast(t, peersFor(t, 'tcp').endpoint, 'await startAll(); process.exit(7);');
    const { code, signal, stderr } = await child.ended;
    assert.deepEqual({ code, signal, stderr }, { code: 7, signal: null, stderr: '' });
  });

  test('by process.exit() while start() and stop() are under way', async (t) => {
    for (const when of ['startAll();', 'await startAll(); broker.stop(); worker.stop(); client.stop();']) {
      await assertEndsSoon(
        withCast(t, peersFor(t, 'tcp').endpoint, `${when} say('stopping'); process.exit(0);`),
      );
    }
  });

  test('by an exception that nobody catches, which is told', async (t) => {
    const child = withCast(
      t,
      peersFor(t, 'tcp').endpoint,
      `await startAll(); setImmediate(() => { throw new Error('mine'); });`,
    );
    const { code, signal, stderr } = await child.ended;
    assert.deepEqual({ code, signal }, { code: 1, signal: null });
    assert.match(stderr, /Error: mine/);
  });
});

describe('a process stays', () => {
  const ROLES = {
    'a started broker': 'await broker.start();',
    'a started worker': 'await worker.start();',
    'a started worker whose broker is absent': 'await worker.start();',
    'a client with a request outstanding': `await client.start(); client.request('nobody', 1);`,
  };
  for (const [what, body] of Object.entries(ROLES)) {
    test(`for ${what}, until it is stopped`, async (t) => {
      // That it stays shows in beforeExit not being emitted: a timer that does not hold the process sees many turns of
      // the event loop pass.
      const child = withCast(
        t,
        peersFor(t, 'tcp').endpoint,
        `process.on('beforeExit', () => say('idle'));
        ${body}
        let turns = 0;
        setInterval(() => {
          turns += 1;
          if (turns !== 20) return;
          say('stayed');
          say('stopping');
          for (const peer of [broker, worker, client]) peer.stop();
        }, 5).unref();`,
      );
      await assertEndsSoon(child);
      const { said } = await child.ended;
      assert.deepEqual(
        said.map(({ what: word }) => word),
        ['stayed', 'stopping', 'idle'],
      );
    });
  }

  test('for the reply to a request, and no longer', async (t) => {
    const peers = peersFor(t, 'tcp');
    await start(peers.broker(), peers.worker(echo));
    const child = withCast(
      t,
      peers.endpoint,
      `await client.start();
      client.request('service', 'data', null, (err, data) => { say('answer', data); say('stopping'); });`,
    );
    await assertEndsSoon(child);
    assert.equal((await child.said('answer')).value, 'data');
  });

  test('for a stop() that is to give its handlers some time', async (t) => {
    const child = withCast(
      t,
      peersFor(t, 'tcp').endpoint,
      `await startAll();
      worker.on('request', async () => {
        await worker.stop({ timeout: 50 });
        say('worker stopped');
        broker.stop();
      });
      client.request('service', 'silence', null, (err) => {
        say('told', err);
        say('stopping');
        client.stop();
      });`,
    );
    await assertEndsSoon(child);
    const { said } = await child.ended;
    assert.ok(said.some(({ what, value }) => what === 'told' && value === 'W_LOST'));
    assert.ok(said.some(({ what }) => what === 'worker stopped'));
  });
});

describe('a process does not stay', () => {
  const PROGRAMS = {
    'for the module alone': `say('stopping');`,
    'for peers that were never started': `say('stopping');`,
    'for requests of a client that was never started': `client.request('service', 1); say('stopping');`,
    'for an idle client': `await client.start(); say('stopping');`,
    'for an idle client that had requests': `await startAll();
      await client.call('service', 1);
      await worker.stop();
      await broker.stop();
      say('stopping');`,
    'for requests that were cancelled': `await client.start();
      const controller = new AbortController();
      client.request('service', 1, null, () => say('stopping'), { signal: controller.signal });
      setImmediate(() => controller.abort());`,
    'for a peer that could not start': `const bad = new omdp.Broker('nonsense');
      bad.start(() => say('stopping'));`,
  };
  for (const [what, body] of Object.entries(PROGRAMS)) {
    test(what, async (t) => {
      const child = withCast(t, peersFor(t, 'tcp').endpoint, body);
      await assertEndsSoon(
        child,
        'stopping',
        what === 'for requests of a client that was never started' ? /OMDP_NOT_STARTED/ : undefined,
      );
    });
  }
});

test('what was said last still goes out: replies and goodbyes of a process that ends', async (t) => {
  const peers = peersFor(t, 'tcp');
  // Slow hearts: nothing but what is said tells the broker.
  const broker = peers.broker({ heartbeat: 60_000 });
  const client = peers.client({ heartbeat: 60_000 });
  await start(broker, client);
  const gone = new Promise((resolve) => broker.on('workerGone', resolve));
  const child = withCast(
    t,
    peers.endpoint,
    `worker.removeAllListeners();
    worker.on('request', (data, reply) => {
      reply.write(Buffer.alloc(1_000_000, 1));
      reply.end('last words');
      say('stopping');
      worker.stop();
    });
    await worker.start();`,
  );
  assert.equal(await client.call(SERVICE, 1), 'last words');
  assert.equal((await gone).reason, 'goodbye');
  await assertEndsSoon(child);
});

test('stopped and started again 20 times in a process, it still ends', async (t) => {
  for (const transport of TRANSPORTS) {
    const child = withCast(
      t,
      peersFor(t, transport).endpoint,
      `for (let i = 0; i < 20; i += 1) {
        await broker.start();
        await Promise.all([worker.start(), client.start()]);
        if (await client.call('service', i) !== i) throw new Error('wrong');
        await Promise.all([client.stop(), worker.stop(), broker.stop()]);
      }
      say('stopping');`,
    );
    await assertEndsSoon(child);
  }
});
