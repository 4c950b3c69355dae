'use strict';
// Who may do what, by rules and by callbacks; rules that change while the broker runs.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { setTimeout } = require('node:timers/promises');
const { Client, OmdpError, Worker } = require('../..');
const { Relay } = require('../chaos/relay');
const { namesOf, record, until } = require('../support/events');
const { MDP } = require('../support/mdp');
const { SERVICE, echo, peersFor, start } = require('../support/peers');
const { curveBroker, curvePeer, foreignDealer, keys, next } = require('../support/security');

const server = keys();
const web = keys();
const billing = keys();

const denied = (error) => error instanceof OmdpError && error.code === 'B_DENIED';

describe('rules', () => {
  const users = {
    web: { keys: web.publicKey, call: ['bill*', 'mail'] },
    billing: { keys: billing.publicKey, serve: 'billing.*' },
  };

  test('a worker serves what it may', async (t) => {
    const peers = peersFor(t, 'tcp');
    const broker = peers.broker(curveBroker(server, users));
    const log = record(broker, ['workerReady']);
    await broker.start();
    const said = next(broker, 'denied');
    const worker = peers.worker(echo, { service: 'mail', name: 'W1', ...curvePeer(server, billing) });
    await worker.start();
    const { address, ...denied } = await said;
    assert.match(address, /^127\./);
    assert.deepEqual(denied, { peer: 'W1', user: 'billing', action: 'serve', service: 'mail' });
    assert.deepEqual(log, []);
    assert.ok(broker.refusals.workers >= 1);
    const other = peers.worker(echo, { service: 'billing.eu', ...curvePeer(server, billing) });
    await start(other);
    await until(() => log.length === 1);
  });

  test('a worker that may not serve does not hammer the broker', async (t) => {
    const peers = peersFor(t, 'tcp');
    const broker = peers.broker(curveBroker(server, users));
    await broker.start();
    const times = [];
    const fourth = new Promise((resolve) => {
      broker.on('denied', () => {
        if (times.push(performance.now()) === 4) resolve();
      });
    });
    await peers.worker(echo, curvePeer(server, billing)).start();
    await fourth;
    // Each pause is twice as long as the one before, and longer or shorter by up to a quarter.
    assert.ok(times[3] - times[0] >= 0.75 * 95 * (1 + 2 + 4), `${times}`);
  });

  test('a client calls what it may, and learns at once what it may not', async (t) => {
    const peers = peersFor(t, 'tcp');
    const { client, broker } = await peers.trio(echo, {
      broker: curveBroker(server, users),
      worker: { service: 'billing.eu', ...curvePeer(server, billing) },
      client: curvePeer(server, web),
    });
    assert.equal(await client.call('billing.eu', 1), 1);
    await assert.rejects(client.call('payroll', 1), denied);
    const final = new Promise((resolve) => client.request('payroll', 1, null, (...args) => resolve(args)));
    assert.deepEqual(await final, ['B_DENIED']);
    assert.equal(broker.refusals.requests, 2);
  });

  test('what a client says of its user is not believed', async (t) => {
    const peers = peersFor(t, 'tcp');
    const seen = [];
    const broker = peers.broker(curveBroker(server, { web: { keys: web.publicKey } }));
    const worker = peers.worker(
      (_data, reply, opts) => {
        seen.push(opts);
        reply.end();
      },
      curvePeer(server, web),
    );
    await start(broker, worker);
    const { socket } = foreignDealer(t, peers.endpoint, curvePeer(server, web));
    const forged = '{"user":"root","userMetadata":{"admin":true},"timeout":5000}';
    for (const [i, opts] of [forged, `\0root\0{}\0${forged}`, '', '[]'].entries()) {
      await socket.send(['C', '2', SERVICE, `r${i}`, '1', opts]);
      await socket.receive();
    }
    assert.deepEqual(seen, [
      { timeout: 5000, attempt: 1, user: 'web' },
      { attempt: 1, user: 'web' },
      { attempt: 1, user: 'web' },
    ]);
  });

  test('a broker without authentication speaks of no user, whatever the client does', async (t) => {
    const peers = peersFor(t, 'tcp');
    const seen = [];
    await start(
      peers.broker(),
      peers.worker((_data, reply, opts) => {
        seen.push(opts.user);
        reply.end();
      }),
    );
    const { socket } = foreignDealer(t, peers.endpoint);
    for (const [i, opts] of ['{"user":"root"}', '\0root\0\0{}'].entries()) {
      await socket.send(['C', '2', SERVICE, `r${i}`, '1', opts]);
      await socket.receive();
    }
    assert.deepEqual(seen, [undefined]);
  });
});

describe('rules that change while the broker runs', () => {
  test('who is not allowed any more is sent away, with its requests', async (t) => {
    const peers = peersFor(t, 'tcp');
    const both = { web: { keys: web.publicKey }, billing: { keys: billing.publicKey } };
    const { client, worker, broker } = await peers.trio(() => {}, {
      broker: curveBroker(server, both),
      worker: curvePeer(server, billing),
      client: curvePeer(server, web),
    });
    const lost = client.call(SERVICE, 1);
    await once(worker, 'request');
    const refused = next(client, 'error');
    broker.allow({ users: { billing: both.billing } });
    await assert.rejects(lost, { code: 'B_LOST' });
    assert.equal((await refused).code, 'B_REFUSED');
  });

  test('a key is rotated without a request lost', async (t) => {
    const peers = peersFor(t, 'tcp');
    const fresh = keys();
    const other = { keys: billing.publicKey };
    const { client, broker } = await peers.trio(echo, {
      broker: curveBroker(server, { web: { keys: web.publicKey }, billing: other }),
      worker: curvePeer(server, billing),
      client: curvePeer(server, web),
    });
    assert.equal(await client.call(SERVICE, 1), 1);
    const log = record(client);
    broker.allow({ users: { web: { keys: [web.publicKey, fresh.publicKey] }, billing: other } });
    const renewed = peers.client(curvePeer(server, fresh));
    await renewed.start();
    assert.equal(await renewed.call(SERVICE, 2), 2);
    assert.equal(await client.call(SERVICE, 3), 3);
    assert.deepEqual(namesOf(log), []);
    await client.stop();
    broker.allow({ users: { web: { keys: fresh.publicKey }, billing: other } });
    assert.equal(await renewed.call(SERVICE, 4), 4);
  });

  test('a worker that may not serve any more what it serves', async (t) => {
    const peers = peersFor(t, 'tcp');
    const broker = peers.broker(curveBroker(server, { web: { keys: web.publicKey } }));
    const worker = peers.worker(echo, curvePeer(server, web));
    const up = once(worker, 'connect');
    await start(broker, worker);
    await up;
    const [gone, down] = [once(broker, 'workerGone'), once(worker, 'disconnect')];
    broker.allow({ users: { web: { keys: web.publicKey, call: '*' } } });
    assert.equal((await gone)[0].reason, 'denied');
    await down;
  });

  test('only a broker that authenticates has rules', (t) => {
    assert.throws(() => peersFor(t).broker().allow({}), /^TypeError: rules require the option "curveServer"/);
  });
});

describe('callbacks', () => {
  test('authenticate lets in as a user with metadata, or not', async (t) => {
    const peers = peersFor(t, 'tcp');
    const asked = [];
    const authenticate = async ({ address, ...peer }) => {
      assert.match(address, /^127\./);
      asked.push(peer);
      return peer.publicKey === web.publicKey && { userId: 'somebody', metadata: { tenant: 7 } };
    };
    const { client, broker } = await peers.trio(
      (_data, reply, opts) => reply.end([opts.user, opts.userMetadata]),
      {
        broker: curveBroker(server, { billing: { keys: billing.publicKey } }, { authenticate }),
        worker: curvePeer(server, billing),
        client: curvePeer(server, web),
      },
    );
    assert.deepEqual(await client.call(SERVICE, 1), ['somebody', { tenant: 7 }]);
    assert.deepEqual(asked, [{ mechanism: 'curve', publicKey: web.publicKey }]);
    const stranger = peers.client(curvePeer(server, keys()));
    const refused = next(stranger, 'error');
    await stranger.start();
    assert.equal((await refused).reason, 'not admitted by the broker');
    assert.equal(broker.refusals.peers, 1);
  });

  for (const [name, authenticate] of [
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no'))],
    ['gives something else', () => 'yes'],
    ['gives a user that is none', () => ({ userId: 'a\nb' })],
    ['takes too long', () => new Promise(() => {})],
  ]) {
    test(`authenticate that ${name} refuses`, async (t) => {
      const peers = peersFor(t, 'tcp');
      // Short only where it has to pass, since a busy machine may need longer to ask.
      const authenticateTimeout = name === 'takes too long' ? 50 : 5000;
      const broker = peers.broker(curveBroker(server, {}, { authenticate, authenticateTimeout }));
      broker.on('error', () => {});
      const client = peers.client(curvePeer(server, web));
      await broker.start();
      const [refused, said] = [next(client, 'error'), next(broker, 'peerRefused')];
      await client.start();
      assert.equal((await refused).code, 'B_REFUSED');
      assert.equal((await said).reason, name === 'takes too long' ? 'no answer in time' : 'refused');
    });
  }

  test('authenticate of PLAIN gets the password', async (t) => {
    const peers = peersFor(t, 'tcp');
    const authenticate = ({ username, password }) => username === 'u' && password === 'p';
    const plain = { plainUsername: 'u', plainPassword: 'p' };
    const { client } = await peers.trio((_data, reply, opts) => reply.end(opts.user), {
      broker: { plainServer: true, security: { authenticate } },
      worker: plain,
      client: plain,
    });
    assert.equal(await client.call(SERVICE, 1), 'u');
  });

  test('authorize is asked for what the rules do not grant, and remembered', async (t) => {
    const peers = peersFor(t, 'tcp');
    const asked = [];
    const authorize = async (question) => {
      asked.push(question);
      return question.action === 'serve' || question.service === SERVICE;
    };
    const users = { web: { keys: web.publicKey, call: 'free' } };
    const { client, broker } = await peers.trio(echo, {
      broker: curveBroker(server, users, { authorize }),
      worker: curvePeer(server, web),
      client: curvePeer(server, web),
    });
    assert.deepEqual(await Promise.all([1, 2, 3].map((i) => client.call(SERVICE, i))), [1, 2, 3]);
    await assert.rejects(client.call('other', 1), denied);
    await assert.rejects(client.call('free', 1, { timeout: 20 }), { code: 'C_TIMEOUT' });
    const calls = asked.filter(({ action }) => action === 'call');
    assert.deepEqual(calls, [
      { user: 'web', action: 'call', service: SERVICE },
      { user: 'web', action: 'call', service: 'other' },
    ]);
    assert.equal(broker.refusals.requests, 1);
  });

  test('authorize is told names that are no text apart', async (t) => {
    const peers = peersFor(t, 'tcp');
    const asked = [];
    const authorize = ({ service }) => {
      asked.push(service);
      return false;
    };
    const users = { web: { password: 'a' } };
    await peers.broker({ plainServer: true, security: { users, authorize } }).start();
    const plain = { plainUsername: 'web', plainPassword: 'a', routingId: 'Cf' };
    const { socket } = foreignDealer(t, peers.endpoint, plain);
    for (const [n, last] of [0xfe, 0xff].entries()) {
      await socket.send(['C', '2', Buffer.from([0x61, last]), `r${n}`, '1', '{}']);
      await socket.receive();
    }
    assert.deepEqual(asked, ['0x61fe', '0x61ff']);
  });

  test('authorize that takes too long is a no, and asked again', async (t) => {
    const peers = peersFor(t, 'tcp');
    let asked = 0;
    const authorize = () => {
      asked += 1;
      return new Promise(() => {});
    };
    const users = { web: { keys: web.publicKey, serve: '*' } };
    const broker = peers.broker(curveBroker(server, users, { authorize, authorizeTimeout: 30 }));
    const client = peers.client(curvePeer(server, web));
    await start(broker, client);
    await assert.rejects(client.call(SERVICE, 1), denied);
    await assert.rejects(client.call(SERVICE, 1), denied);
    assert.equal(asked, 2);
  });

  for (const when of ['later', 'while its client is away']) {
    test(`a request that a returning client resumes is not asked about again: it ends ${when}`, async (t) => {
      const peers = peersFor(t, 'tcp');
      const users = { web: { keys: web.publicKey, serve: '*' } };
      let takes = 0;
      const asked = [];
      const authorize = ({ service }) => {
        asked.push(service);
        return setTimeout(takes, true);
      };
      let started;
      const running = new Promise((resolve) => {
        started = resolve;
      });
      let starts = 0;
      const handler = (_, reply) => {
        starts += 1;
        started(reply);
      };
      const { broker } = await peers.trio(handler, {
        broker: curveBroker(server, users, { authorize }),
        worker: curvePeer(server, web),
        client: curvePeer(server, web),
      });
      const relay = new Relay(peers.endpoint);
      const client = new Client(await relay.listen(), curvePeer(server, web));
      t.after(() => client.stop().then(() => relay.close()));
      await client.start();
      const result = client.call(SERVICE, 1);
      const reply = await running;
      // The answers are forgotten, and the next one comes long after the client has resumed its requests.
      takes = 1000;
      broker.allow({ users, authorize });
      relay.cut();
      if (when === 'later') {
        await next(client, 'connect');
        // What follows the resumed request over the connection has been asked about.
        client.call('other', 1).catch(() => {});
        await until(() => asked.includes('other'));
        assert.equal(reply.active(), true);
      }
      reply.end('done');
      assert.equal(await result, 'done');
      assert.equal(starts, 1);
    });
  }

  test('a busy JavaScript thread holds up nobody whom the rules know', async (t) => {
    const { runChild } = require('../support/child');
    const { freshEndpoint } = require('../support/endpoints');
    const endpoint = freshEndpoint('tcp');
    const child = runChild(
      t,
      async ({ omdp, say, conf, endpoint }) => {
        const broker = new omdp.Broker(endpoint, conf);
        await broker.start();
        say('ready');
        for (;;);
      },
      { endpoint, conf: curveBroker(server, { web: { keys: web.publicKey } }) },
    );
    await child.said('ready');
    const worker = new Worker(endpoint, SERVICE, curvePeer(server, web));
    const client = new Client(endpoint, curvePeer(server, web));
    t.after(() => Promise.all([worker.stop({ timeout: 0 }), client.stop()]));
    worker.on('request', echo);
    await start(worker, client);
    assert.equal(await client.call(SERVICE, 1), 1);
  });
});

for (const mdp of MDP) {
  describe(`rules for peers of ${mdp.name}`, () => {
    const users = { web: { keys: web.publicKey, call: 'bill*', serve: 'billing' } };

    async function secured(t) {
      const peers = peersFor(t, 'tcp');
      const broker = peers.broker(curveBroker(server, users));
      await broker.start();
      const { socket } = foreignDealer(t, peers.endpoint, curvePeer(server, web));
      const receive = async () => {
        for (;;) {
          const frames = (await socket.receive()).map((frame) => frame.toString('latin1'));
          if (frames.join('|') !== mdp.heartbeat.join('|')) return frames;
        }
      };
      return { peers, broker, socket, receive };
    }

    test('a worker that may not serve is disconnected; then it may serve what it may', async (t) => {
      const { peers, broker, socket, receive } = await secured(t);
      const said = next(broker, 'denied');
      await socket.send(mdp.ready('payroll'));
      assert.deepEqual(await receive(), mdp.disconnect);
      const { user, action, service } = await said;
      assert.deepEqual([user, action, service], ['web', 'serve', 'payroll']);
      assert.equal(broker.refusals.workers, 1);
      const ready = next(broker, 'workerReady');
      await socket.send(mdp.ready('billing'));
      await ready;
      const client = peers.client(curvePeer(server, web));
      await client.start();
      const reply = client.call('billing', 'x');
      const work = await receive();
      const address = work.at(-3);
      await socket.send(mdp.final(address, work.at(-1)));
      assert.equal(await reply, 'x');
    });

    test('a client that may not call learns so in the form of an error', async (t) => {
      const { broker, socket, receive } = await secured(t);
      await socket.send(mdp.request('payroll', '1'));
      assert.deepEqual(await receive(), mdp.gotFinal('payroll', 'OMDP-CODE', 'B_DENIED'));
      await socket.send(mdp.request('mmi.service', 'payroll'));
      assert.deepEqual(await receive(), mdp.gotFinal('mmi.service', 'OMDP-CODE', 'B_DENIED'));
      assert.equal(broker.refusals.requests, 2);
    });
  });
}
