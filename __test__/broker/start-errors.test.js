'use strict';
// What start() says when it can't: an Error with a code, through whatever way was asked for.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { TRANSPORTS, freshEndpoint } = require('../support/endpoints');
const { record } = require('../support/events');
const { SERVICE, ask, peersFor, start } = require('../support/peers');
const { Broker, Client, Worker } = require('../..');

/** Fails to start, and gives the error as each of the three ways tells it. */
async function failures(peer) {
  const byCallback = await new Promise((resolve) => peer.start((...args) => resolve(args)));
  assert.equal(byCallback.length, 1);
  const byPromise = await peer.start().then(
    () => assert.fail('it started'),
    (error) => error,
  );
  const event = once(peer, 'error');
  peer.start();
  return [byCallback[0], byPromise, (await event)[0]];
}

for (const transport of TRANSPORTS) {
  describe(`a taken endpoint over ${transport}`, () => {
    test('is EADDRINUSE, by callback, by promise and by the error event', async (t) => {
      const peers = peersFor(t, transport);
      await peers.broker().start();
      for (const error of await failures(peers.broker())) {
        assert.ok(error instanceof Error);
        assert.equal(error.code, 'EADDRINUSE');
        assert.ok(error.message.includes(peers.endpoint), error.message);
      }
    });

    test('is left to the broker that has it', async (t) => {
      const peers = peersFor(t, transport);
      const { client } = await peers.trio();
      const log = record(client, ['disconnect']);
      await assert.rejects(peers.broker().start(), { code: 'EADDRINUSE' });
      assert.equal(await client.call(SERVICE, 'still'), 'still');
      assert.deepEqual(log, []);
    });

    test('can be had by the same broker once it is free', async (t) => {
      const peers = peersFor(t, transport);
      const [first, second] = [peers.broker(), peers.broker()];
      await first.start();
      await assert.rejects(second.start(), { code: 'EADDRINUSE' });
      await first.stop();
      await second.start();
      assert.deepEqual(second.endpoints, [peers.endpoint]);
    });

    test('among several leaves none of them bound', async (t) => {
      const peers = peersFor(t, transport);
      const free = freshEndpoint(transport);
      await peers.broker().start();
      const broker = peers.broker({}, [free, peers.endpoint]);
      await assert.rejects(broker.start(), { code: 'EADDRINUSE' });
      assert.deepEqual(broker.endpoints, []);
      await peers.broker({}, free).start();
    });
  });
}

test('a port taken by somebody else than a broker is EADDRINUSE too', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const broker = peersFor(t).broker({}, `tcp://127.0.0.1:${server.address().port}`);
  await assert.rejects(broker.start(), { code: 'EADDRINUSE' });
});

test('the file that a killed broker left behind does not keep the next from its ipc endpoint', {
  skip: process.platform === 'win32' && 'Node.js listens at named pipes there, not at the paths of sockets',
}, async (t) => {
  const peers = peersFor(t, 'ipc');
  const path = peers.endpoint.slice('ipc://'.length);
  // A socket file that nobody listens on: the server's handle is closed behind its back by unlinking a copy of it.
  const server = net.createServer().listen(`${path}.made`);
  await once(server, 'listening');
  fs.renameSync(`${path}.made`, path);
  await new Promise((resolve) => server.close(resolve));
  assert.ok(fs.existsSync(path));
  await peers.broker().start();
});

const MALFORMED = [
  ['nonsense', 'EINVAL'],
  ['tcp://', 'EINVAL'],
  ['tcp://127.0.0.1', 'EINVAL'],
  ['tcp://127.0.0.1:port', 'EINVAL'],
  ['tcp://127.0.0.1:65536', 'EINVAL'],
  ['nothing://127.0.0.1:5555', 'EPROTONOSUPPORT'],
  ['inproc://', 'EINVAL'],
  ['inproc:name', 'EINVAL'],
];
for (const [endpoint, code] of MALFORMED) {
  test(`the malformed endpoint ${endpoint} is ${code} for all three`, async (t) => {
    const made = [new Broker(endpoint), new Worker(endpoint, SERVICE), new Client(endpoint)];
    t.after(() => Promise.all(made.map((peer) => peer.stop())));
    for (const peer of made) {
      for (const error of await failures(peer)) {
        assert.ok(error instanceof Error);
        assert.equal(error.code, code, `${peer.constructor.name}: ${error.message}`);
        assert.ok(error.message.includes(endpoint), error.message);
        assert.match(error.message, /an endpoint is tcp:\/\/HOST:PORT/);
      }
    }
  });
}

test('an address that is not of this machine is EADDRNOTAVAIL', async (t) => {
  // TEST-NET-1 of RFC 5737 is nobody's.
  await assert.rejects(peersFor(t).broker({}, 'tcp://192.0.2.1:5555').start(), { code: 'EADDRNOTAVAIL' });
});

test('an ipc path that can not be is an error with a code', async (t) => {
  const peers = peersFor(t);
  await assert.rejects(peers.broker({}, `ipc:///${'x'.repeat(200)}`).start(), { code: 'ENAMETOOLONG' });
  await assert.rejects(peers.broker({}, 'ipc:///does/not/exist').start(), { code: /^E[A-Z]+$/ });
});

test('no event but error, and none at all without a listener for it', async (t) => {
  const peers = peersFor(t);
  await peers.broker().start();
  const broker = peers.broker();
  const log = record(broker, ['start', 'stop', 'connect', 'disconnect']);
  await assert.rejects(broker.start(), { code: 'EADDRINUSE' });
  await new Promise((resolve) => broker.start(resolve));
  const errors = record(broker, ['error']);
  await new Promise((resolve) => broker.start(resolve));
  assert.deepEqual(errors, [], 'the callback was told');
  broker.start();
  await once(broker, 'error');
  assert.equal(errors.length, 1);
  assert.deepEqual(log, []);
});

test('a rejection that nobody handles is none when error has a listener', async (t) => {
  const broker = peersFor(t).broker({}, 'nonsense');
  const unhandled = record(process, ['unhandledRejection']);
  const error = once(broker, 'error');
  broker.start();
  await error;
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(unhandled, []);
  process.removeAllListeners('unhandledRejection');
});

test('requests that waited for a client which could not start end with C_STOPPED', async (t) => {
  const client = new Client('nonsense');
  t.after(() => client.stop());
  const early = ask(client, 1);
  const promised = client.call(SERVICE, 1);
  await assert.rejects(client.start(), { code: 'EINVAL' });
  assert.deepEqual((await early).final, ['C_STOPPED']);
  await assert.rejects(promised, (error) => error.code === 'C_STOPPED' && error.cause.code === 'EINVAL');
  assert.deepEqual((await ask(client, 1)).final, ['C_STOPPED']);
});

test('it can be stopped after it could not start, and has nothing to stop', async (t) => {
  const broker = peersFor(t).broker({}, 'nonsense');
  const log = record(broker, ['start', 'stop']);
  const starting = broker.start();
  await Promise.all([assert.rejects(starting, { code: 'EINVAL' }), broker.stop()]);
  await broker.stop();
  assert.deepEqual(log, []);
});

test('a worker and a client whose broker is absent start all the same', async (t) => {
  const peers = peersFor(t, 'tcp');
  await start(peers.worker(), peers.client());
});
