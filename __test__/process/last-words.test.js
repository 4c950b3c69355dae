'use strict';
// What a process was given right before it ends arrives: replies of workers, requests of clients, and what a broker has
// for its peers.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { runChild } = require('../support/child');
const { freshEndpoint } = require('../support/endpoints');
const { SERVICE, ask, echo, peersFor, start } = require('../support/peers');
const { curveBroker, curvePeer, keys } = require('../support/security');

/** More than the buffer of an ipc connection takes, and than a window. */
const LARGE = 600_000;
const PARTS = 20;

const ALL = { '*': { serve: '*', call: '*' } };
const KEYS = { server: keys(), peer: keys() };
const PASSWORD = { plainUsername: 'ann', plainPassword: 'secret' };

/** By name: the transport, and what the broker and its peers need. */
const CONNECTIONS = {
  tcp: { transport: 'tcp' },
  ipc: { transport: 'ipc' },
  CURVE: {
    transport: 'tcp',
    broker: curveBroker(KEYS.server, ALL, { authenticate: () => true }),
    peer: curvePeer(KEYS.server, KEYS.peer),
  },
  PLAIN: {
    transport: 'tcp',
    broker: { plainServer: true, security: { users: ALL, authenticate: () => true } },
    peer: PASSWORD,
  },
};

/** How a reply is given, and how its process ends. Both run in the child. */
const GIVEN = {
  'a reply': 'reply.end(Buffer.alloc(large, 7));',
  'a reply in parts that its client has to read': `
    for (let i = 0; i < parts; i += 1) reply.write(Buffer.alloc(large / parts, 7));
    reply.end();`,
};
const ENDS = {
  'process.exit()': 'process.exit(0);',
  'an exception': `setImmediate(() => { throw new Error('mine'); });`,
  'stop() and process.exit()': 'worker.stop(); process.exit(0);',
};

/** A worker in a process of its own, whose handler does this. */
function worker(t, endpoint, handler, conf = {}, services = [SERVICE]) {
  const program = `async ({ omdp, say, endpoint, conf, services, large, parts }) => {
    const handle = (data, reply) => { ${handler} };
    const handlers = Object.fromEntries(services.map((service) => [service, handle]));
    const worker = new omdp.Worker(endpoint, handlers, conf);
    await worker.start();
  }`;
  return runChild(t, program, { endpoint, conf, services, large: LARGE, parts: PARTS });
}

/** How many bytes a reply has, in all its parts. */
async function sizeOf(client, service = SERVICE) {
  let size = 0;
  for await (const part of client.requestStream(service)) size += part?.length ?? 0;
  return size;
}

for (const [connection, { transport, broker: brokerConf, peer }] of Object.entries(CONNECTIONS)) {
  describe(`over ${connection}`, () => {
    for (const [given, handler] of Object.entries(GIVEN)) {
      for (const [end, how] of Object.entries(ENDS)) {
        test(`${given} right before ${end} arrives`, async (t) => {
          const peers = peersFor(t, transport);
          const client = peers.client(peer);
          await start(peers.broker(brokerConf), client);
          worker(t, peers.endpoint, handler + how, peer);
          assert.equal(await sizeOf(client), LARGE);
        });
      }
    }

    test('a reply of a thread that ends, and whose process ends', async (t) => {
      const peers = peersFor(t, transport);
      const client = peers.client(peer);
      await start(peers.broker(brokerConf), client);
      const inThread = `
        const { parentPort, workerData } = require('node:worker_threads');
        const { Worker } = require(workerData.root);
        const worker = new Worker(workerData.endpoint, 'service', workerData.peer);
        worker.on('request', (large, reply) => {
          reply.end(Buffer.alloc(large, 7));
          parentPort.postMessage('said');
        });
        worker.start();`;
      for (const last of ['process.exit(0);', 'thread.terminate().then(() => process.exit(0));']) {
        runChild(
          t,
          `({ inThread, ...workerData }) => {
            const { Worker: Thread } = require('node:worker_threads');
            workerData.root = process.cwd();
            delete workerData.omdp;
            delete workerData.say;
            const thread = new Thread(inThread, { eval: true, workerData });
            thread.on('message', () => { ${last} });
          }`,
          { inThread, endpoint: peers.endpoint, peer },
        );
        assert.equal((await client.call(SERVICE, LARGE)).length, LARGE, last);
      }
    });

    for (const began of ['await client.start();', 'client.start();']) {
      test(`a request right before process.exit(), after ${began}`, async (t) => {
        const peers = peersFor(t, transport);
        await start(peers.broker(brokerConf));
        let given;
        const data = new Promise((resolve) => {
          given = resolve;
        });
        const receiver = peers.worker((received, reply) => {
          given(received);
          reply.end();
        }, peer);
        const registered = once(receiver, 'connect');
        await receiver.start();
        await registered;
        runChild(
          t,
          `async ({ omdp, endpoint, peer, large }) => {
            const client = new omdp.Client(endpoint, peer);
            ${began}
            client.request('service', Buffer.alloc(large, 7));
            process.exit(0);
          }`,
          { endpoint: peers.endpoint, peer, large: LARGE },
        );
        assert.equal((await data).length, LARGE);
      });
    }

    test('what a broker has for a client', async (t) => {
      const { endpoint } = peersFor(t, transport);
      const child = runChild(
        t,
        `async ({ omdp, say, endpoint, conf }) => {
          if (conf?.security) conf.security.authenticate = () => true;
          const broker = new omdp.Broker(endpoint, { ...conf, logRequests: true });
          broker.on('requestEnded', ({ service }) => service === 'service' && process.exit(0));
          await broker.start();
          say('started');
        }`,
        { endpoint, conf: brokerConf },
      );
      await child.said('started');
      const peers = peersFor(t, transport, endpoint);
      const client = peers.client(peer);
      await start(
        peers.worker((_, reply) => reply.end(Buffer.alloc(LARGE, 7)), peer),
        client,
      );
      assert.equal((await client.call(SERVICE)).length, LARGE);
    });
  });
}

describe('a reply right before process.exit() arrives', () => {
  const GIVEN_TEXT = `reply.end('x'.repeat(large)); process.exit(0);`;

  for (const protocol of ['mdp/0.1', 'mdp/0.2', 'mdp/0.2-majortomo', 'pigato']) {
    test(`in the dialect ${protocol}`, async (t) => {
      const peers = peersFor(t, 'tcp');
      const client = peers.client();
      await start(peers.broker({ dialects: ['omdp', protocol] }), client);
      worker(t, peers.endpoint, GIVEN_TEXT, { protocol });
      assert.equal((await client.call(SERVICE)).length, LARGE);
    });
  }

  test('from one of several services', async (t) => {
    const peers = peersFor(t, 'ipc');
    const client = peers.client();
    await start(peers.broker(), client);
    const child = worker(t, peers.endpoint, GIVEN_TEXT, { concurrency: 2 }, ['one', 'two']);
    assert.equal((await client.call('two')).length, LARGE);
    assert.equal((await child.ended).code, 0);
  });

  test('at each of several brokers', async (t) => {
    const endpoints = [freshEndpoint('tcp'), freshEndpoint('ipc')];
    const casts = endpoints.map((endpoint) => peersFor(t, 'tcp', endpoint));
    const clients = casts.map((peers) => peers.client());
    await start(...casts.map((peers) => peers.broker()), ...clients);
    const handler = `
      globalThis.replies = [...(globalThis.replies ?? []), reply];
      if (globalThis.replies.length < 2) return;
      for (const each of globalThis.replies) each.end('x'.repeat(large));
      process.exit(0);`;
    worker(t, endpoints, handler, { concurrency: 2 });
    const replies = await Promise.all(clients.map((client) => client.call(SERVICE)));
    assert.deepEqual(
      replies.map((reply) => reply.length),
      [LARGE, LARGE],
    );
  });

  test('from a worker in the process of its broker', async (t) => {
    for (const [outside, inside] of [
      ['tcp', 'tcp'],
      ['ipc', 'inproc'],
    ]) {
      const { endpoint } = peersFor(t, outside);
      const inner = inside === 'inproc' ? freshEndpoint('inproc') : endpoint;
      const child = runChild(
        t,
        `async ({ omdp, say, endpoints, inner, large }) => {
          await new omdp.Broker(endpoints).start();
          const worker = new omdp.Worker(inner, 'service');
          worker.on('request', (data, reply) => { ${GIVEN_TEXT} });
          await worker.start();
          say('started');
        }`,
        { endpoints: [...new Set([endpoint, inner])], inner, large: LARGE },
      );
      await child.said('started');
      const client = peersFor(t, outside, endpoint).client();
      await client.start();
      assert.equal((await client.call(SERVICE)).length, LARGE, inside);
    }
  });

  test('in a listener of "exit" that is older than the worker', async (t) => {
    const peers = peersFor(t, 'tcp');
    const client = peers.client();
    await start(peers.broker(), client);
    const program = `async ({ omdp, endpoint, large }) => {
      let last;
      process.on('exit', () => { for (let i = 0; i < 3; i += 1) last.write(i); last.end('last words'); });
      const worker = new omdp.Worker(endpoint, 'service');
      worker.on('request', (data, reply) => { last = reply; process.exit(0); });
      await worker.start();
    }`;
    runChild(t, program, { endpoint: peers.endpoint });
    assert.deepEqual(await ask(client), {
      partials: [
        [null, 0],
        [null, 1],
        [null, 2],
      ],
      final: [null, 'last words'],
    });
  });
});

test('a stream that was read to its end is sent to its end', async (t) => {
  const peers = peersFor(t, 'tcp');
  let size;
  const read = new Promise((resolve, reject) => {
    const handler = async (data, reply) => {
      size = 0;
      for await (const part of data) size += part.length;
      resolve();
      reply.end();
    };
    peers.worker((data, reply) => handler(data, reply).catch(reject)).start();
  });
  await start(peers.broker());
  runChild(
    t,
    async ({ omdp, endpoint, large, parts }) => {
      const { Readable } = require('node:stream');
      const client = new omdp.Client(endpoint);
      await client.start();
      const data = Readable.from(Array.from({ length: parts }, () => Buffer.alloc(large / parts, 7)));
      data.on('end', () => setImmediate(() => process.exit(0)));
      client.requestStream('service', data);
    },
    { endpoint: peers.endpoint, large: LARGE, parts: PARTS },
  );
  await read;
  assert.equal(size, LARGE);
});

test('a worker whose process ends hands over what it has not answered, at once', async (t) => {
  const peers = peersFor(t, 'tcp');
  // Slow hearts and a long grace time: only the goodbye tells that the worker is gone.
  const broker = peers.broker({ heartbeat: 60_000, reconnectGrace: 60_000 });
  const client = peers.client();
  await start(broker, client);
  const gone = new Promise((resolve) => broker.on('workerGone', resolve));
  const child = worker(
    t,
    peers.endpoint,
    `say(data);
    if (data !== 'last') return;
    process.on('exit', () => say('exit'));
    reply.end('said');
    process.exit(0);`,
    { concurrency: 3 },
  );
  const running = ask(client, 'running');
  await child.said('running');
  const again = client.call(SERVICE, 'again', { retry: 1 });
  await child.said('again');
  const last = client.call(SERVICE, 'last');
  assert.equal(await last, 'said');
  assert.deepEqual((await running).final, ['W_LOST']);
  assert.equal((await gone).reason, 'goodbye');
  await start(peers.worker(echo));
  assert.equal(await again, 'again');
});
