'use strict';
// A secured broker that peers of its process reach over inproc.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { Broker, Client, Worker } = require('../..');
const { freshEndpoint } = require('../support/endpoints');
const { until } = require('../support/events');
const { curveBroker, curvePeer, keys } = require('../support/security');

const server = keys();
const web = keys();

const MECHANISMS = {
  curve: {
    conf: (users, more) => curveBroker(server, { web: { keys: web.publicKey }, ...users }, more),
    peer: curvePeer(server, web),
  },
  plain: {
    conf: (users, more) => ({
      plainServer: true,
      security: { users: { web: { password: 'secret' }, ...users }, ...more },
    }),
    peer: { plainUsername: 'web', plainPassword: 'secret' },
  },
};

async function stage(t, conf) {
  const outside = freshEndpoint('tcp');
  const inside = freshEndpoint('inproc');
  const broker = new Broker([outside, inside], conf);
  const made = [broker];
  t.after(() => Promise.all(made.map((peer) => peer.stop({ timeout: 0 }))));
  await broker.start();
  const started = async (peer) => {
    made.push(peer);
    await peer.start();
    return peer;
  };
  return {
    broker,
    outside,
    inside,
    client: (endpoint, options) => started(new Client(endpoint, options)),
    worker: (endpoint, service, options, handler = (data, reply, opts) => reply.end([data, opts.user])) => {
      const worker = new Worker(endpoint, service, options);
      worker.on('request', handler);
      return started(worker);
    },
  };
}

for (const [mechanism, { conf, peer }] of Object.entries(MECHANISMS)) {
  describe(mechanism, () => {
    test('peers in the process act as the user that the option names', async (t) => {
      const { outside, inside, client, worker } = await stage(t, { ...conf(), inprocUser: 'house' });
      await worker(inside, 'in');
      await worker(outside, 'out', peer);
      const [near, far] = [await client(inside), await client(outside, peer)];
      assert.deepEqual(await near.call('in', 1), [1, 'house']);
      assert.deepEqual(await near.call('out', 2), [2, 'house']);
      assert.deepEqual(await far.call('in', 3), [3, 'web']);
      assert.deepEqual(await far.call('out', 4), [4, 'web']);
    });

    test('the rules apply to that user', async (t) => {
      const users = { web: undefined, house: { serve: 'in', call: 'out' } };
      delete users.web;
      const { broker, inside, outside, client, worker } = await stage(t, {
        ...conf(users),
        inprocUser: 'house',
      });
      const denied = [];
      broker.on('denied', ({ user, action, service }) => denied.push([user, action, service]));
      await worker(inside, 'in');
      await worker(outside, 'out', peer);
      const near = await client(inside);
      assert.deepEqual(await near.call('out', 1), [1, 'house']);
      await assert.rejects(near.call('in', 2), { code: 'B_DENIED' });
      await worker(inside, 'out');
      await until(() => denied.length === 2);
      assert.deepEqual(denied, [
        ['house', 'call', 'in'],
        ['house', 'serve', 'out'],
      ]);
    });

    test('other rules take nobody of the process away, and a callback may decide', async (t) => {
      const asked = [];
      const authorize = ({ user, action, service }) => {
        asked.push([user, action, service]);
        return service !== 'secret';
      };
      const users = { house: { serve: 'in' } };
      const { broker, inside, client, worker } = await stage(t, {
        ...conf(users, { authorize }),
        inprocUser: 'house',
      });
      await worker(inside, 'in');
      const near = await client(inside);
      assert.deepEqual(await near.call('in', 1), [1, 'house']);
      await assert.rejects(near.call('secret', 1), { code: 'B_DENIED' });
      assert.deepEqual(asked, [
        ['house', 'call', 'in'],
        ['house', 'call', 'secret'],
      ]);
      const { security } = conf({ house: { serve: 'in', call: 'in' } });
      broker.allow(security);
      assert.deepEqual(await near.call('in', 2), [2, 'house']);
      await assert.rejects(near.call('other', 2), { code: 'B_DENIED' });
    });

    test('outside of the process nothing is easier', async (t) => {
      const { outside, client } = await stage(t, { ...conf(), inprocUser: 'house' });
      const stranger = await client(outside, { reconnect: 20 });
      const [error] = await Promise.race([
        once(stranger, 'error').then(
          ([each]) => [each],
          (each) => [each],
        ),
        stranger.call('in', 1, { timeout: 1500 }).catch((each) => [each]),
      ]);
      assert.ok(['B_REFUSED', 'C_TIMEOUT'].includes(error.code), error.code);
    });
  });
}

test('it is refused without the option, and the option without security', () => {
  const { conf } = MECHANISMS.curve;
  assert.throws(() => new Broker(['tcp://127.0.0.1:*', 'inproc://x'], conf()), {
    name: 'RangeError',
    message:
      'endpoint "inproc://x" cannot be secured: inproc:// has no handshake; use tcp:// or ipc://, or admit the peers of this process by option "inprocUser"',
  });
  assert.throws(() => new Broker('inproc://x', { inprocUser: 'house' }), {
    name: 'TypeError',
    message: 'option "inprocUser" requires "curveServer" or "plainServer"',
  });
  for (const bad of ['', 'a\nb', 'x'.repeat(256)]) {
    assert.throws(() => new Broker('inproc://x', { ...conf(), inprocUser: bad }), {
      name: 'RangeError',
      message: /^option "inprocUser" must be a string of 1 to 255 bytes without control characters, got /,
    });
  }
  assert.throws(() => new Client('inproc://x', MECHANISMS.curve.peer), {
    message: /cannot be secured: inproc:\/\/ has no handshake; use tcp:\/\/ or ipc:\/\/$/,
  });
});
