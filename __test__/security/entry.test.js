'use strict';
// Who is let in: CURVE and PLAIN, right and wrong, each with the outcome on both sides within a second.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { hashPassword } = require('../..');
const { REMOTE_TRANSPORTS, freshEndpoint } = require('../support/endpoints');
const { SERVICE, echo, peersFor, start } = require('../support/peers');
const { rawRouter, toText } = require('../support/raw');
const { curveBroker, curvePeer, foreignDealer, keys, next } = require('../support/security');

const server = keys();
const web = keys();
const billing = keys();
const USERS = { web: { keys: web.publicKey }, billing: { keys: [billing.publicKey] } };

/** Both sides find it out, and whoever does first closes the connection. */
const OTHER_MECHANISM = /^the broker (uses another security mechanism|ended the handshake)$/;

const hello = JSON.stringify({ heartbeat: 2500, liveness: 3, omdp: 1, session: 's' });

for (const transport of REMOTE_TRANSPORTS) {
  describe(`CURVE over ${transport}`, () => {
    test('the right keys', async (t) => {
      const peers = peersFor(t, transport);
      const users = [];
      const { client, broker } = await peers.trio(
        (data, reply, opts) => {
          users.push(opts.user);
          reply.end(data);
        },
        {
          broker: curveBroker(server, USERS),
          worker: curvePeer(server, billing),
          client: curvePeer(server, web),
        },
      );
      assert.equal(await client.call(SERVICE, 'x'), 'x');
      assert.deepEqual(users, ['web']);
      assert.deepEqual(broker.refusals, { peers: 0, workers: 0, requests: 0, strays: 0 });
    });

    for (const [name, conf, reason, brokerSays] of [
      [
        'a key that is not on the list',
        curvePeer(server, keys()),
        /^not admitted by the broker$/,
        'not in the rules',
      ],
      [
        'the wrong key of the broker',
        curvePeer(keys(), web),
        /^the broker ended the handshake$/,
        'the keys do not match',
      ],
      ['no key', {}, OTHER_MECHANISM, 'another security mechanism'],
      [
        'PLAIN',
        { plainUsername: 'web', plainPassword: 'secret' },
        OTHER_MECHANISM,
        'another security mechanism',
      ],
    ]) {
      test(name, async (t) => {
        const peers = peersFor(t, transport);
        const broker = peers.broker(curveBroker(server, USERS));
        const log = [];
        for (const event of ['workerReady', 'badMessage', 'denied'])
          broker.on(event, (it) => log.push([event, it]));
        await broker.start();
        for (const peer of [peers.client(conf), peers.worker(echo, conf)]) {
          const [said, error] = [next(broker, 'peerRefused'), next(peer, 'error')];
          peer.on('connect', () => log.push('connect'));
          await peer.start();
          const told = await error;
          assert.equal(told.code, 'B_REFUSED');
          assert.equal(told.endpoint, peers.endpoint);
          assert.match(told.reason, reason);
          assert.ok([brokerSays, 'the handshake was not finished'].includes((await said).reason));
          await peer.stop({ timeout: 0 });
        }
        assert.ok(broker.refusals.peers >= 2);
        assert.deepEqual(log, []);
      });
    }
  });
}

test('the broker says who was refused, and never a secret', async (t) => {
  const peers = peersFor(t, 'tcp');
  const stranger = keys();
  const broker = peers.broker(curveBroker(server, USERS));
  await broker.start();
  const said = next(broker, 'peerRefused');
  await peers.client(curvePeer(server, stranger)).start();
  const { address, ...rest } = await said;
  assert.match(address, /^127\./);
  assert.deepEqual(rest, { mechanism: 'curve', publicKey: stranger.publicKey, reason: 'not in the rules' });
});

test('an old peer, without any security, at a CURVE broker: not one frame is heard', async (t) => {
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker(curveBroker(server, USERS));
  const log = [];
  for (const event of ['workerReady', 'badMessage', 'denied']) broker.on(event, () => log.push(event));
  await broker.start();
  const said = next(broker, 'peerRefused');
  const { socket, failed } = foreignDealer(t, peers.endpoint);
  // Where the handshake has failed by now there is no connection to take it.
  socket.send(['W', '1', SERVICE]).catch(() => {});
  assert.match((await failed).event, /^handshake:error/);
  assert.match((await said).reason, /^(another security mechanism|the handshake was not finished)$/);
  assert.deepEqual(log, []);
  assert.equal(broker.refusals.strays, 0);
});

test('without rules everybody who knows the key of the broker is let in, as its own key', async (t) => {
  const peers = peersFor(t, 'tcp');
  const { client } = await peers.trio((_data, reply, opts) => reply.end(opts.user), {
    broker: { curveServer: true, curveSecretKey: server.secretKey },
    worker: curvePeer(server, billing),
    client: curvePeer(server, web),
  });
  assert.equal(await client.call(SERVICE, 1), web.publicKey);
});

describe('PLAIN', () => {
  const plain = (password) => ({ plainUsername: 'web', plainPassword: password });

  for (const [name, form] of [
    ['in clear', async (password) => password],
    ['hashed', hashPassword],
  ]) {
    test(`a password ${name}`, async (t) => {
      const peers = peersFor(t, 'tcp');
      const users = { web: { password: await form('right') } };
      const { client, broker } = await peers.trio(echo, {
        broker: { plainServer: true, security: { users } },
        worker: plain('right'),
        client: plain('right'),
      });
      assert.equal(await client.call(SERVICE, 1), 1);
      const stranger = peers.client(plain('wrong'));
      const [said, error] = [next(broker, 'peerRefused'), next(stranger, 'error')];
      await stranger.start();
      assert.equal((await error).reason, 'not admitted by the broker');
      const { mechanism, username, reason, password } = await said;
      assert.deepEqual(
        { mechanism, username, reason, password },
        {
          mechanism: 'plain',
          username: 'web',
          reason: 'wrong password',
          password: undefined,
        },
      );
    });
  }

  test('hashing holds up nobody else', async (t) => {
    const peers = peersFor(t, 'tcp');
    const users = { slow: { password: await hashPassword('right') }, web: { password: 'right' } };
    const broker = peers.broker({ plainServer: true, security: { users } });
    const worker = peers.worker(echo, plain('right'));
    await start(broker, worker);
    for (let i = 0; i < 8; i += 1) {
      const options = { plainUsername: 'slow', plainPassword: `wrong ${i}` };
      foreignDealer(t, peers.endpoint, options);
    }
    const client = peers.client(plain('right'));
    await client.start();
    assert.equal(await client.call(SERVICE, 1), 1);
  });
});

describe('interop with zeromq.js', () => {
  test('a CURVE client and a CURVE worker of a broker of ours', async (t) => {
    const peers = peersFor(t, 'tcp');
    await peers.broker(curveBroker(server, USERS)).start();
    const worker = foreignDealer(t, peers.endpoint, { ...curvePeer(server, billing), routingId: 'Wf' });
    await worker.socket.send(['W', '1', SERVICE]);
    const client = foreignDealer(t, peers.endpoint, { ...curvePeer(server, web), routingId: 'Cf' });
    await client.socket.send(['C', '2', SERVICE, 'r1', '"x"', '{}']);
    assert.deepEqual(toText(await worker.socket.receive()), [
      // In the form that workers of 0.0.92 and of PIGATO both read.
      ...['W', '2', 'Cf', 'r1', '"x"'],
      ...['r1', '"x"', '{}'],
    ]);
    await worker.socket.send(['W', '3', 'Cf', 'r1', '0', '"y"']);
    assert.deepEqual(toText(await client.socket.receive()), ['C', '3', 'r1', '0', '"y"']);
  });

  test('a PLAIN client and a PLAIN worker of a broker of ours', async (t) => {
    const peers = peersFor(t, 'tcp');
    const users = { web: { password: 'a' }, billing: { password: 'b' } };
    await peers.broker({ plainServer: true, security: { users } }).start();
    const worker = foreignDealer(t, peers.endpoint, {
      plainUsername: 'billing',
      plainPassword: 'b',
      routingId: 'Wf',
    });
    await worker.socket.send(['W', '1', SERVICE, hello]);
    assert.equal((await worker.socket.receive()).length, 3);
    const client = foreignDealer(t, peers.endpoint, {
      plainUsername: 'web',
      plainPassword: 'a',
      routingId: 'Cf',
    });
    await client.socket.send(['C', '2', SERVICE, 'r1', '1', '{"user":"root"}']);
    const frames = await worker.socket.receive();
    assert.equal(frames.length, 8);
    assert.equal(String(frames[7]), 'web');
  });

  for (const [name, routerConf, peerConf] of [
    ['CURVE', { curveServer: true, curveSecretKey: server.secretKey }, curvePeer(server, web)],
    ['PLAIN', { plainServer: true, zapDomain: 'd' }, { plainUsername: 'u', plainPassword: 'p' }],
  ]) {
    test(`our worker and client at a ${name} Router`, async (t) => {
      const endpoint = freshEndpoint('tcp');
      if (name === 'PLAIN') await zapOfZeromq(t);
      const socket = await rawRouter(t, endpoint, routerConf);
      const { Worker, Client } = require('../..');
      const worker = new Worker(endpoint, SERVICE, { name: 'W1', ...peerConf });
      const client = new Client(endpoint, { name: 'C1', ...peerConf });
      t.after(() => Promise.all([worker.stop({ timeout: 0 }), client.stop()]));
      await worker.start();
      const ready = toText(await socket.receive());
      assert.deepEqual(ready.slice(1, 4), ['W', '1', SERVICE]);
      assert.equal(JSON.parse(ready[4]).name, 'W1');
      await client.start();
      const hello = toText(await socket.receive());
      assert.deepEqual(hello.slice(1, 3), ['C', '1']);
      assert.equal(JSON.parse(hello[3]).name, 'C1');
    });
  }
});

/** zeromq.js has no ZAP handler of its own: this one lets everybody in. */
async function zapOfZeromq(t) {
  const { Reply } = require('zeromq');
  const handler = new Reply();
  t.after(() => handler.close());
  await handler.bind('inproc://zeromq.zap.01');
  (async () => {
    for await (const [version, id] of handler) await handler.send([version, id, '200', 'OK', 'u', '']);
  })().catch(() => {});
}

test('a peer that is refused does not hammer the broker', async (t) => {
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker(curveBroker(server, USERS));
  await broker.start();
  const times = [];
  const client = peers.client(curvePeer(server, keys()));
  const fourth = new Promise((resolve) => {
    client.on('error', () => {
      if (times.push(performance.now()) === 4) resolve();
    });
  });
  await client.start();
  await fourth;
  const pauses = times.slice(1).map((time, i) => time - times[i]);
  // Each pause is twice as long as the one before, and longer or shorter by up to a quarter.
  for (const [i, pause] of pauses.entries()) assert.ok(pause >= 0.75 * 95 * 2 ** i, `${pauses}`);
});

test('who is let in later comes in by itself', async (t) => {
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker(curveBroker(server, {}));
  const worker = peers.worker(echo, curvePeer(server, billing));
  await start(broker, worker);
  await once(worker, 'error');
  const up = once(worker, 'connect');
  broker.allow({ users: USERS });
  await up;
});
