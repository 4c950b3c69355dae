'use strict';
// Descriptors are limited: running out of them is an error that can be caught, and using them leaves none behind.
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const { describe, test } = require('node:test');
const { curveKeyPair } = require('../..');
const { runChild } = require('../support/child');
const { TRANSPORTS } = require('../support/endpoints');
const { until } = require('../support/events');
const { SERVICE, echo, peersFor } = require('../support/peers');
const { COUNTING, counts } = require('../support/resources');
const { curveBroker, curvePeer } = require('../support/security');

/** Runs in the child: more clients than there are descriptors, then one that has to work. */
async function tooMany({ omdp, say, endpoint, role, count }) {
  const { Broker, Worker, Client } = omdp;
  const make = {
    client: () => new Client(endpoint),
    worker: () => new Worker(endpoint, 'many'),
    broker: (i) => new Broker(`inproc://many-${i}`),
  }[role];
  const many = Array.from({ length: count }, (_, i) => make(i));
  const results = await Promise.allSettled(many.map((peer) => peer.start()));
  const codes = {};
  for (const { reason } of results) {
    const code = reason === undefined ? 'started' : reason instanceof Error ? reason.code : 'no Error';
    codes[code] = (codes[code] ?? 0) + 1;
  }
  say('codes', codes);
  await Promise.all(many.map((peer) => peer.stop({ timeout: 0 })));
  say('stopped');

  const broker = new Broker(endpoint);
  const worker = new Worker(endpoint, 'service');
  worker.on('request', (data, reply) => reply.end(data));
  const client = new Client(endpoint);
  // The last descriptors are closed by a thread that tells nobody.
  for (;;) {
    try {
      await broker.start();
      await Promise.all([worker.start(), client.start()]);
      break;
    } catch (error) {
      if (error.code !== 'EMFILE') throw error;
    }
  }
  say('answer', await client.call('service', 'it works'));
  await Promise.all([client.stop(), worker.stop(), broker.stop()]);
}

for (const transport of TRANSPORTS) {
  for (const role of ['client', 'worker']) {
    test(
      `2,000 ${role}s over ${transport} under ulimit -n 256 get errors that can be caught, and the process works on`,
      COUNTING,
      async (t) => {
        const { endpoint } = peersFor(t, transport);
        const child = runChild(t, tooMany, { endpoint, role, count: 2000 }, { shell: 'ulimit -n 256' });
        const { code, signal, stderr } = await child.ended;
        assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' });
        const { started, EMFILE, ...others } = (await child.said('codes')).value;
        assert.deepEqual(others, {});
        assert.ok(EMFILE > 1000, `${EMFILE} without a descriptor`);
        assert.equal(started + EMFILE, 2000);
        assert.equal((await child.said('answer')).value, 'it works');
      },
    );
  }
}

test('so do 500 brokers', COUNTING, async (t) => {
  const { endpoint } = peersFor(t, 'tcp');
  const child = runChild(t, tooMany, { endpoint, role: 'broker', count: 500 }, { shell: 'ulimit -n 256' });
  const { code, signal, stderr } = await child.ended;
  assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' });
  const { started, EMFILE, ...others } = (await child.said('codes')).value;
  assert.deepEqual(others, {});
  assert.equal(started + EMFILE, 500);
  assert.equal((await child.said('answer')).value, 'it works');
});

test('a broker under ulimit -n 256 lives through 1,000 connections', COUNTING, async (t) => {
  const peers = peersFor(t, 'tcp');
  const child = runChild(
    t,
    async ({ omdp, say, endpoint }) => {
      const broker = new omdp.Broker(endpoint);
      const worker = new omdp.Worker(endpoint, 'service');
      worker.on('request', (data, reply) => reply.end(data));
      await broker.start();
      await worker.start();
      const client = new omdp.Client(endpoint);
      await client.start();
      await client.call('service', 'registered');
      await client.stop();
      say('started');
    },
    { endpoint: peers.endpoint },
    { shell: 'ulimit -n 256' },
  );
  await child.said('started');
  const crowd = Array.from({ length: 1000 }, () => peers.client());
  await Promise.all(crowd.map((client) => client.start()));
  await Promise.all(crowd.slice(0, 100).map((client) => client.stop()));
  await Promise.all(crowd.map((client) => client.stop()));
  const client = peers.client();
  await client.start();
  assert.equal(await client.call(SERVICE, 'it works'), 'it works');
  child.kill();
});

for (const transport of TRANSPORTS) {
  test(
    `peers started and stopped 50 times over ${transport} leave no thread and no descriptor`,
    COUNTING,
    async (t) => {
      const peers = peersFor(t, transport);
      const all = [peers.broker(), peers.worker((data, reply) => reply.end(data)), peers.client()];
      const life = async () => {
        for (const peer of all) await peer.start();
        await all[2].call(SERVICE, 1);
        await Promise.all(all.map((peer) => peer.stop()));
      };
      await life();
      // What the first life leaves for a moment is what later ones may find.
      let before = counts();
      await until(() => {
        const now = counts();
        const same = now.threads === before.threads && now.descriptors === before.descriptors;
        before = now;
        return same;
      });
      for (let i = 0; i < 50; i += 1) await life();
      let now;
      await until(
        () => {
          now = counts();
          return now.threads <= before.threads && now.descriptors <= before.descriptors;
        },
        () => `before ${JSON.stringify(before)}, after ${JSON.stringify(now)}`,
      );
    },
  );
}

/** The descriptors of this process, and what each of them is. */
function open() {
  const entries = fs.readdirSync('/proc/self/fd').map((fd) => {
    try {
      return [fd, fs.readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [fd, '']; // The one that listed the folder.
    }
  });
  return new Map(entries.filter(([, target]) => target !== ''));
}

/** What is open that was not before. Pipes of earlier children may have closed meanwhile. */
const openedSince = (before) => [...open()].filter(([fd, target]) => before.get(fd) !== target);

const assertClosed = (before) => assert.deepEqual(openedSince(before), []);

describe('stop() resolves when the descriptors are closed', COUNTING, () => {
  const KEYS = { server: curveKeyPair(), peer: curveKeyPair() };
  const CURVE = {
    broker: curveBroker(KEYS.server, { peer: { keys: KEYS.peer.publicKey } }),
    peer: curvePeer(KEYS.server, KEYS.peer),
  };
  const PLAIN = {
    broker: { plainServer: true, security: { users: { ann: { password: 'secret' } } } },
    peer: { plainUsername: 'ann', plainPassword: 'secret' },
  };
  const PLACES = {
    tcp: { transport: 'tcp' },
    ipc: { transport: 'ipc' },
    inproc: { transport: 'inproc' },
    'CURVE over tcp': { transport: 'tcp', ...CURVE },
    'CURVE over ipc': { transport: 'ipc', ...CURVE },
    PLAIN: { transport: 'tcp', ...PLAIN },
  };
  /** What else lives in the process: nothing, or peers that share libzmq's context with those that are stopped. */
  const OTHERS = [undefined, 'tcp', 'inproc', 'CURVE over tcp'];

  /** Peers that serve in the meantime. */
  async function others(t, place) {
    if (place === undefined) return;
    const { transport, broker, peer } = PLACES[place];
    const { client } = await peersFor(t, transport).trio(echo, { broker, worker: peer, client: peer });
    assert.equal(await client.call(SERVICE, 1), 1);
  }

  for (const [place, { transport, broker: brokerConf, peer }] of Object.entries(PLACES)) {
    for (const other of OTHERS) {
      const beside = other === undefined ? '' : `, beside others over ${other}`;
      test(`of each role over ${place}, alone and with the others${beside}`, async (t) => {
        await others(t, other);
        const peers = peersFor(t, transport);
        const broker = peers.broker(brokerConf);
        const worker = peers.worker(echo, peer);
        const client = peers.client(peer);
        const before = open();
        for (let i = 0; i < 5; i += 1) {
          for (const one of [broker, worker, client]) {
            await one.start();
            await one.stop();
            assertClosed(before);
          }
          await broker.start();
          const bound = open();
          await Promise.all([worker.start(), client.start()]);
          assert.equal(await client.call(SERVICE, i), i);
          await Promise.all([client.stop(), worker.stop()]);
          // The broker's ends of the connections are its own.
          if (transport === 'inproc') assertClosed(bound);
          await broker.stop();
          assertClosed(before);
        }
      });
    }

    for (const role of transport === 'inproc' ? [] : ['worker', 'client']) {
      test(`of a ${role} with a broker in another process over ${place}`, async (t) => {
        const peers = peersFor(t, transport);
        const child = runChild(
          t,
          async ({ omdp, say, endpoint, conf }) => {
            await new omdp.Broker(endpoint, conf).start();
            say('started');
          },
          { endpoint: peers.endpoint, conf: brokerConf },
        );
        await child.said('started');
        const one = role === 'worker' ? peers.worker(() => {}, peer) : peers.client(peer);
        const before = open();
        for (let i = 0; i < 10; i += 1) {
          const connected = once(one, 'connect');
          await one.start();
          await connected;
          await one.stop();
          assertClosed(before);
        }
      });
    }
  }
});

test('every descriptor is close-on-exec, and no child process inherits one', COUNTING, async (t) => {
  const O_CLOEXEC = 0o2000000;
  const before = new Set(fs.readdirSync('/proc/self/fd'));
  const keys = curveKeyPair();
  const secured = {
    broker: curveBroker(keys, { '*': { serve: '*', call: '*' } }, { authenticate: () => true }),
    worker: curvePeer(keys, curveKeyPair()),
    client: curvePeer(keys, curveKeyPair()),
  };
  const casts = [...TRANSPORTS.map((transport) => [transport, {}]), ['tcp', secured], ['ipc', secured]];
  for (const [transport, confs] of casts) {
    const { client } = await peersFor(t, transport).trio((data, reply) => reply.end(data), confs);
    await client.call(SERVICE, 1);
  }
  const targets = new Set();
  for (const fd of fs.readdirSync('/proc/self/fd')) {
    if (before.has(fd)) continue;
    let target;
    let info;
    try {
      target = fs.readlinkSync(`/proc/self/fd/${fd}`);
      info = fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
    } catch {
      continue; // The one that listed the folder.
    }
    const flags = Number.parseInt(/^flags:\s*(\d+)$/m.exec(info)?.[1] ?? '0', 8);
    assert.notEqual(flags & O_CLOEXEC, 0, `${target} ${flags.toString(8)}`);
    targets.add(target);
  }
  const kinds = new Set([...targets].map((target) => target.replace(/[0-9]+/g, '')));
  for (const kind of ['anon_inode:[eventpoll]', 'anon_inode:[eventfd]', 'socket:[]']) {
    assert.ok(kinds.has(kind), `${kind} is not among ${[...kinds].join()}`);
  }
  const list = 'for fd in /proc/self/fd/*; do readlink $fd; done';
  const { stdout } = spawnSync('/bin/sh', ['-c', list], { encoding: 'utf8' });
  const inherited = stdout.split('\n').filter((target) => targets.has(target));
  assert.deepEqual(inherited, []);
  assert.notEqual(stdout, '');
});
