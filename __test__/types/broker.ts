// biome-ignore-all lint/suspicious/noExplicitAny: it is a part of the interface

import type { EventEmitter } from 'node:events';
import { Broker, capability, type Protocol, type version } from '../../index.js';
import { type Equal, expectType } from './expect.js';

const broker = new Broker('tcp://*:5555');
new Broker(['tcp://*:5555', 'ipc:///tmp/broker'], { heartbeat: 100, liveness: 4, name: 'b1' });
new Broker('tcp://*:5555', { maxQueue: 1, maxQueueBytes: -1, maxTotalQueue: 0, maxTotalQueueBytes: 9 });
new Broker('tcp://*:5555', { maxHeld: -1, maxHeldPerUser: 0, maxHeldPerPeer: 1 });
// @ts-expect-error
new Broker();
// @ts-expect-error
new Broker({ host: 'x' });
// @ts-expect-error of the client
new Broker('tcp://*:5555', { timeout: 5 });

new Broker('tcp://*:5555', { dialects: ['omdp', 'mdp/0.1', 'mdp/0.2', 'mdp/0.2-majortomo'] });
const some: readonly Protocol[] = ['mdp/0.1'];
new Broker('tcp://*:5555', { dialects: some, expiry: -1, busyTimeout: 60000 });
// @ts-expect-error
new Broker('tcp://*:5555', { dialects: ['mdp/0.3'] });
// @ts-expect-error
new Broker('tcp://*:5555', { dialects: 'omdp' });
// @ts-expect-error
new Broker('tcp://*:5555', { expiry: '60000' });
// @ts-expect-error
new Broker('tcp://*:5555', { busyTimeout: null });
// @ts-expect-error of the worker and the client
new Broker('tcp://*:5555', { protocol: 'omdp' });
expectType<Equal<Protocol, 'omdp' | 'mdp/0.1' | 'mdp/0.2' | 'mdp/0.2-majortomo' | 'pigato'>>();

async function numbers() {
  const { services, dialects, counters, tables } = await broker.stats();
  expectType<Equal<(typeof services)[0]['idle'], number>>();
  expectType<Equal<(typeof counters)['errors']['W_LOST'], number>>();
  void [dialects['mdp/0.1'].messages, tables.timers];
  expectType<Equal<Awaited<ReturnType<typeof broker.stats>>['workers'][0]['address'], string | undefined>>();
  // @ts-expect-error
  counters.requests = 0;
}

async function life() {
  await broker.start();
  broker.start(() => {});
  broker.start((error) => {
    if (error) error.code.toLowerCase();
  });
  await broker.stop();
  await using scoped = broker;
  expectType<Equal<typeof scoped.endpoints, readonly string[]>>();
  // @ts-expect-error
  scoped.endpoints.push('x');
}
const emitter: EventEmitter = broker;
broker
  .on('start', () => {})
  .on('workerReady', ({ worker, service, address = '' }) => worker + service + address)
  .on('workerGone', ({ lost }) => lost.toFixed())
  .on('clientGone', ({ client, reason, lost }) => client + reason + lost.toFixed())
  .on('requestExpired', ({ running }) => !running)
  .on('queueFull', ({ service, queued, queuedBytes, total }) => service && !total && queued + queuedBytes)
  .on('badMessage', ({ peer, reason }) => peer + reason);
// @ts-expect-error of the worker
broker.on('request', () => {});
// @ts-expect-error an implementation detail of 0.0.92
broker.services;

expectType<Equal<typeof version, string>>();
expectType<Equal<typeof capability.curve, boolean>>();
// @ts-expect-error
capability.curve = true;

void [numbers, life, emitter];
