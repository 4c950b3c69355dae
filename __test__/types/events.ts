// All three are emitters whose events are known, and peers.

import { type EventEmitter, once } from 'node:events';
import {
  type AnyServices,
  Broker,
  type BrokerEvents,
  Client,
  type ClientEvents,
  type DisconnectReason,
  type Peer,
  type PeerEvents,
  type ReceivedOptions,
  type Reply,
  Worker,
  type WorkerEvents,
} from '../../index.js';
import { type Equal, expectType } from './expect.js';

interface Services {
  add: { request: number[]; reply: number };
}

const endpoint = 'tcp://127.0.0.1:5555';
const client = new Client(endpoint);
const typedClient = new Client<Services>(endpoint);
const worker = new Worker(endpoint, 'files');
const typedWorker = new Worker<string, Buffer, null>(endpoint, 'files');
const broker = new Broker(endpoint);
const all = [client, typedClient, worker, typedWorker, broker];

const emitters: EventEmitter[] = [...all];
const nodeEmitters: NodeJS.EventEmitter[] = [...all];
const peers: Peer[] = [...all];
const ofClient: Peer<ClientEvents>[] = [client, typedClient];
const ofWorker: Peer<WorkerEvents> = worker;
const ofBroker: Peer<BrokerEvents> = broker;
const untyped: Client<AnyServices> = client;

async function stopAll(...some: Peer[]) {
  for (const peer of some) {
    peer.on('disconnect', (where, reason) => {
      expectType<Equal<typeof where, string>>();
      expectType<Equal<typeof reason, DisconnectReason>>();
    });
    peer.once('start', () => {}).off('stop', () => {});
    // @ts-expect-error of the worker
    peer.on('request', () => {});
    await peer.stop();
  }
}
void stopAll(client, typedClient, worker, typedWorker, broker);

client.emit('connect', endpoint);
// @ts-expect-error
client.emit('connect', 1);
// @ts-expect-error
client.emit('conect', endpoint);
worker.off('request', (_data, reply: Reply) => reply.end());
typedWorker.once('request', (data, reply, opts) => {
  expectType<Equal<typeof data, string>>();
  expectType<Equal<typeof reply, Reply<Buffer, null>>>();
  expectType<Equal<typeof opts, ReceivedOptions>>();
});

async function awaited() {
  const [data, reply] = (await once(typedWorker, 'request')) as WorkerEvents<string, Buffer, null>['request'];
  expectType<Equal<typeof data, string>>();
  reply.end(null);
  const [where] = (await once(client, 'connect')) as PeerEvents['connect'];
  expectType<Equal<typeof where, string>>();
}

void [emitters, nodeEmitters, peers, ofClient, ofWorker, ofBroker, untyped, awaited];
