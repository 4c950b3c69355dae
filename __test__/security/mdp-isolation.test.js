'use strict';
// Attacks of MDP peers that are let in, on peers of their own dialect: what is somebody else's can't be had.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { until } = require('../support/events');
const { MDP } = require('../support/mdp');
const { SERVICE, peersFor } = require('../support/peers');
const { curveBroker, curvePeer, foreignDealer, keys } = require('../support/security');

const server = keys();
const [victim, mallory, provider] = [keys(), keys(), keys()];
const USERS = {
  victim: { keys: victim.publicKey },
  mallory: { keys: mallory.publicKey },
  provider: { keys: provider.publicKey },
};

for (const mdp of MDP) {
  describe(`isolation of peers of ${mdp.name}`, () => {
    /** A request of the victim that the provider holds, and a way to make Mallory's sockets. */
    async function scene(t) {
      const peers = peersFor(t, 'tcp');
      const broker = peers.broker(curveBroker(server, USERS));
      await broker.start();
      const join = (pair, routingId, more = {}) => {
        const { socket, shaken } = foreignDealer(t, peers.endpoint, {
          ...curvePeer(server, pair),
          routingId,
          ...more,
        });
        const receive = async () => {
          for (;;) {
            const frames = (await socket.receive()).map((frame) => frame.toString('latin1'));
            if (frames.join('|') !== mdp.heartbeat.join('|')) return frames;
          }
        };
        return { send: (frames) => socket.send(frames), receive, shaken };
      };
      const worker = join(provider, 'Wprovider');
      const client = join(victim, 'Cvictim');
      const ready = once(broker, 'workerReady');
      await worker.send(mdp.ready(SERVICE));
      await ready;
      await client.send(mdp.request(SERVICE, 'secret'));
      assert.deepEqual(await worker.receive(), mdp.work('Cvictim', 'secret'));
      /** The provider's answer reaches the victim, and nothing before it. */
      const genuine = async () => {
        await worker.send(mdp.final('Cvictim', 'genuine'));
        assert.deepEqual(await client.receive(), mdp.gotFinal(SERVICE, 'genuine'));
      };
      return { broker, worker, client, join, genuine };
    }

    test('a forged client address: a reply to a client whom the worker serves nothing', async (t) => {
      const { broker, join, genuine } = await scene(t);
      const forger = join(mallory, 'Wmallory');
      const ready = once(broker, 'workerReady');
      await forger.send(mdp.ready('mine'));
      await ready;
      const gone = once(broker, 'workerGone');
      if (mdp.hasPartials) await forger.send(mdp.partial('Cvictim', 'forged'));
      await forger.send(mdp.final('Cvictim', 'forged'));
      assert.deepEqual(await forger.receive(), mdp.disconnect);
      assert.deepEqual((await gone)[0].worker, 'Wmallory');
      assert.equal(broker.refusals.strays, mdp.hasPartials ? 2 : 1);
      await genuine();
    });

    test("a reply to somebody else's request, by a worker of the same service that has a request", async (t) => {
      const { broker, join, genuine } = await scene(t);
      const [forger, own] = [join(mallory, 'Wmallory'), join(mallory, 'Cmallory')];
      const ready = once(broker, 'workerReady');
      await forger.send(mdp.ready(SERVICE));
      await ready;
      await own.send(mdp.request(SERVICE, 'mine'));
      assert.deepEqual(await forger.receive(), mdp.work('Cmallory', 'mine'));
      await forger.send(mdp.final('Cvictim', 'forged'));
      assert.deepEqual(await forger.receive(), mdp.disconnect);
      assert.deepEqual(await own.receive(), mdp.gotFinal(SERVICE, 'OMDP-CODE', 'W_LOST'));
      await genuine();
    });

    test('a reply of who never registered', async (t) => {
      const { broker, join, genuine } = await scene(t);
      const forger = join(mallory, 'Wmallory');
      const bad = once(broker, 'badMessage');
      await forger.send(mdp.final('Cvictim', 'forged'));
      assert.equal((await bad)[0].reason, 'unexpected command');
      assert.deepEqual(await forger.receive(), mdp.disconnect);
      await genuine();
    });

    test('a second READY, and a DISCONNECT, under a taken identity', async (t) => {
      const { broker, worker, client, join, genuine } = await scene(t);
      const log = [];
      for (const event of ['workerReady', 'workerGone', 'badMessage'])
        broker.on(event, () => log.push(event));
      const double = join(mallory, 'Wprovider', { receiveTimeout: 200 });
      await double.shaken;
      await double.send(mdp.ready(SERVICE));
      await double.send(mdp.disconnect);
      await assert.rejects(double.receive(), { code: 'EAGAIN' });
      await genuine();
      await client.send(mdp.request(SERVICE, 'again'));
      assert.deepEqual(await worker.receive(), mdp.work('Cvictim', 'again'));
      await genuine();
      assert.deepEqual(log, []);
    });

    test("a client's identity is not taken over, and its reply not delivered to another", async (t) => {
      const { worker, join, genuine } = await scene(t);
      const double = join(mallory, 'Cvictim', { receiveTimeout: 200 });
      await double.shaken;
      await double.send(mdp.request(SERVICE, 'stolen'));
      await genuine();
      await assert.rejects(double.receive(), { code: 'EAGAIN' });
      // The worker is free again, and is given nothing of the double's.
      const witness = join(victim, 'Cwitness');
      await witness.send(mdp.request(SERVICE, 'next'));
      assert.deepEqual(await worker.receive(), mdp.work('Cwitness', 'next'));
    });

    test('another dialect under a taken identity is no way in either', async (t) => {
      const { broker, join, genuine } = await scene(t);
      const double = join(mallory, 'Cvictim');
      await double.shaken;
      const other = MDP.find((each) => each !== mdp);
      await double.send(other.request(SERVICE, 'stolen'));
      const witness = join(mallory, 'Cmallory');
      await witness.send(mdp.request('mmi.service', SERVICE));
      assert.deepEqual(await witness.receive(), mdp.gotFinal('mmi.service', '200'));
      await genuine();
      assert.equal(broker.refusals.strays, 0);
    });
  });
}

test('handshakes of one address that wait are limited in number', async (t) => {
  const peers = peersFor(t, 'tcp');
  const answers = [];
  const authenticate = () => new Promise((resolve) => answers.push(resolve));
  const broker = peers.broker(curveBroker(server, USERS, { authenticate }));
  const reasons = [];
  broker.on('peerRefused', ({ reason }) => reasons.push(reason));
  await broker.start();
  const strangers = Array.from({ length: 70 }, () =>
    foreignDealer(t, peers.endpoint, curvePeer(server, keys())),
  );
  await until(() => reasons.length >= 6 && answers.length >= 64);
  assert.equal(answers.length, 64);
  assert.ok(
    reasons.every((reason) => reason === 'too many handshakes at once'),
    `${reasons}`,
  );
  // Whom the rules know has nothing to wait for, from the same address.
  const known = foreignDealer(t, peers.endpoint, curvePeer(server, victim));
  await known.shaken;
  for (const answer of answers) answer(true);
  await Promise.any(strangers.map(({ shaken }) => shaken));
  assert.ok(broker.refusals.peers >= 6);
});
