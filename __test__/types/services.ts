// The types of services: one map for clients, streams, callbacks, listeners and workers.
import fs from 'node:fs';
import { Readable } from 'node:stream';
import { Client, type ListenerOf, type Peer, type PeerEvents, Worker, type WorkerOf } from '../../index.js';
import { type Equal, expectType } from './expect.js';

interface Row {
  cell: string;
}
interface Services {
  add: { request: [number, number]; reply: number };
  rows: { request: { table: string }; partial: Row; reply: { count: number } };
}

const client = new Client<Services>('tcp://127.0.0.1:5555');

async function calls() {
  const sum = await client.call('add', [1, 2]);
  expectType<Equal<typeof sum, number>>();
  const { count } = await client.call('rows', { table: 't' }, { timeout: 5 });
  expectType<Equal<typeof count, number>>();
  // @ts-expect-error wrong data
  await client.call('add', ['1', '2']);
  // @ts-expect-error no data
  await client.call('add');
  // @ts-expect-error no such service
  await client.call('sub', [1, 2]);
  // @ts-expect-error nobody may say other types
  await client.call<string, string>('add', 'x');
}

async function streams() {
  const stream = client.requestStream('rows', { table: 't' });
  for await (const part of stream) expectType<Equal<typeof part, Row | { count: number }>>();
  stream.on('data', (part) => expectType<Equal<typeof part, Row | { count: number }>>());
  // @ts-expect-error
  client.requestStream('rows', { table: 1 });
}

client.request(
  'rows',
  { table: 't' },
  (row) => expectType<Equal<typeof row, Row>>(),
  (_error, final) => expectType<Equal<typeof final, { count: number } | undefined>>(),
);
client.request('rows', { table: 't' }, (_error: null, row: Row) => row.cell);
// @ts-expect-error
client.request('rows', { table: 't' }, (row: number) => row);
// @ts-expect-error
client.request('sub', 1);

const worker: WorkerOf<Services, 'rows'> = new Worker('tcp://127.0.0.1:5555', 'rows');
worker.on('request', (data, reply) => {
  expectType<Equal<typeof data, { table: string }>>();
  reply.write({ cell: data.table });
  reply.end({ count: 1 });
  // @ts-expect-error
  reply.write('text');
  // @ts-expect-error
  reply.end(1);
});
const listener: ListenerOf<Services, 'add'> = ([a, b], reply) => reply.end(a + b);

// Whatever its types, a reply may be piped into.
const files = new Worker<string, Buffer, null>('tcp://127.0.0.1:5555', 'files');
files.on('request', (name, reply) => {
  fs.createReadStream(name).pipe(reply);
  // @ts-expect-error
  reply.end('text');
  // @ts-expect-error
  reply.write(1);
});
const rows = new Worker<string, Row, number>('tcp://127.0.0.1:5555', 'rows');
rows.on('request', (_name, reply) => {
  Readable.from([{ cell: 'a' }]).pipe(reply);
});

// Without a map each call may say its types, in the order data, partial, final.
async function untyped() {
  const any = new Client('tcp://127.0.0.1:5555');
  const sum = await any.call<[number, number], number>('add', [1, 2]);
  expectType<Equal<typeof sum, number>>();
  const stream = any.requestStream<string, Row, number>('rows', 't');
  stream.on('data', (part) => expectType<Equal<typeof part, Row | number>>());
}

function watch(peer: Peer<PeerEvents>) {
  peer.on('disconnect', (endpoint, reason) => {
    if (reason === 'name taken') endpoint.toUpperCase();
    // @ts-expect-error no such reason
    return reason === 'bored';
  });
}

void [calls, streams, listener, untyped, watch];
