// The types of services: one map for clients, streams, callbacks, listeners and workers.
import fs from 'node:fs';
import { Readable } from 'node:stream';
import {
  Client,
  type ClientConf,
  type ListenerOf,
  type ListenersOf,
  type Peer,
  type PeerEvents,
  type ReplyOf,
  type RequestOf,
  type ServiceTypes,
  Worker,
  type WorkerOf,
} from '../../index.js';
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

async function withoutData() {
  interface Clock {
    now: { reply: number };
    reset: { request: null; reply: null };
    set: { request: number; reply: null };
  }
  // Options that are declared apart, as programs often do.
  const conf: ClientConf = { timeout: 1000 };
  const clock = new Client<Clock>('tcp://127.0.0.1:5555', conf);
  const now = await clock.call('now');
  expectType<Equal<typeof now, number>>();
  await clock.call('reset');
  for await (const part of clock.requestStream('now')) expectType<Equal<typeof part, number>>();
  for await (const { value } of clock.callAll('now')) {
    expectType<Equal<typeof value, number | undefined>>();
  }
  // @ts-expect-error no data
  await clock.call('set');
  // @ts-expect-error no such service
  await clock.call('get');
  // @ts-expect-error no such option
  new Client<Clock>('tcp://127.0.0.1:5555', { timeot: 1 });
}

async function streams() {
  const stream = client.requestStream('rows', { table: 't' });
  for await (const part of stream) expectType<Equal<typeof part, Row | { count: number }>>();
  stream.on('data', (part) => expectType<Equal<typeof part, Row | { count: number }>>());
  stream.prependListener('data', (part) => expectType<Equal<typeof part, Row | { count: number }>>());
  expectType<Equal<Awaited<ReturnType<typeof stream.toArray>>, (Row | { count: number })[]>>();
  stream.once('end', () => {}).off('close', () => {});
  // @ts-expect-error other types
  stream.on('data', (part: number) => part);
  // @ts-expect-error no such event
  stream.on('dta', () => {});
  // @ts-expect-error
  client.requestStream('rows', { table: 1 });
  // A service without declared partials has none.
  for await (const part of client.requestStream('add', [1, 2])) expectType<Equal<typeof part, number>>();
  // Types with `Buffer` are those of any stream.
  const readable: NodeJS.ReadableStream = new Client('inproc://a').requestStream<string, Buffer, null>(
    's',
    'n',
  );
  return readable;
}

client.request(
  'rows',
  { table: 't' },
  (row) => expectType<Equal<typeof row, Row>>(),
  (_error, final) => expectType<Equal<typeof final, { count: number } | undefined>>(),
);
client.request('rows', { table: 't' }, (_error: null, row: Row) => row.cell);
client.request('rows', { table: 't' }, (error, row) => {
  expectType<Equal<typeof error, null>>();
  expectType<Equal<typeof row, Row>>();
});
// @ts-expect-error
client.request('rows', { table: 't' }, (_error: null, row: number) => row);
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

const listeners: ListenersOf<Services> = {
  add: ([a, b], reply) => {
    reply.end(a + b);
    // @ts-expect-error no partials
    reply.write(a);
  },
  rows: (data, reply) => {
    reply.write({ cell: data.table });
    // @ts-expect-error
    reply.end(data.table);
  },
};
new Worker('tcp://127.0.0.1:5555', listeners);
new Worker('tcp://127.0.0.1:5555', { ...listeners, add: { handler: listeners.add, concurrency: 2 } });
// @ts-expect-error no number
new Worker('tcp://127.0.0.1:5555', { ...listeners, add: { handler: listeners.add, concurrency: '2' } });

function generic<S extends keyof Services>(
  service: S,
  data: RequestOf<Services, S>,
): Promise<ReplyOf<Services, S>> {
  return client.call(service, data);
}

// The user's own map names the types of an unknown service, too.
function indexed<S extends keyof Services>(
  service: S,
  data: Services[S]['request'],
): Promise<Services[S]['reply']> {
  client.request(service, data, null, (_error, final) => final);
  return client.call(service, data);
}
async function everywhere<S extends keyof Services>(service: S, data: Services[S]['request']) {
  for await (const { value } of client.callAll(service, data)) {
    const reply: Services[S]['reply'] | undefined = value;
    void reply;
  }
  for await (const part of client.requestStream(service, data)) void part;
}
const total: Promise<number> = indexed('add', [1, 2]);
// @ts-expect-error data of another service
indexed('add', { table: 't' });

/** The client of any map. */
function wrapped<TServices extends { [S in keyof TServices]: ServiceTypes }>(of: Client<TServices>) {
  return <S extends keyof TServices & string>(service: S, data: RequestOf<TServices, S>) =>
    of.call(service, data);
}
const wrappedTotal: Promise<number> = wrapped(client)('add', [1, 2]);
// @ts-expect-error no such service
wrapped(client)('sub', [1, 2]);

interface Loose {
  anything: Record<never, never>;
}
async function loose(of: Client<Loose>) {
  const reply = await of.call('anything', 1);
  expectType<Equal<typeof reply, unknown>>();
}

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
  any.request<string, Row, number>('rows', 't', (_error, row) => expectType<Equal<typeof row, Row>>());
  any.request<string, Row, number>('rows', 't', (row) => expectType<Equal<typeof row, Row>>());
}

function watch(peer: Peer<PeerEvents>) {
  peer.on('disconnect', (endpoint, reason) => {
    if (reason === 'name taken') endpoint.toUpperCase();
    // @ts-expect-error no such reason
    return reason === 'bored';
  });
}

void [generic, everywhere, total, wrappedTotal, loose, calls, withoutData, streams, listener, untyped, watch];
