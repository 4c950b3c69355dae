// biome-ignore-all lint/suspicious/noExplicitAny: it is a part of the interface

import dns from 'node:dns';
import type { Readable } from 'node:stream';
import {
  Client,
  type ErrorCode,
  type FinalCallback,
  OmdpError,
  RemoteError,
  type RequestStream,
  type StartError,
} from '../../index.js';
import { type Equal, expectType } from './expect.js';

interface User {
  id: number;
}
interface Row {
  cell: string;
}

const client = new Client('tcp://127.0.0.1:5555');
new Client(['tcp://127.0.0.1:5555'], { heartbeat: 100, timeout: -1, name: 'c1', liveness: 5 });
new Client('inproc://a', null);
new Client(['tcp://127.0.0.1:5555', 'tcp://127.0.0.1:5556']);
new Client(['tcp://127.0.0.1:5555', 'tcp://127.0.0.1:5556'] as const, { timeout: 100 });
// @ts-expect-error
new Client(['tcp://127.0.0.1:5555', 5556]);
// @ts-expect-error
new Client(5555);
// @ts-expect-error
new Client();
// @ts-expect-error unknown option
new Client('tcp://127.0.0.1:5555', { hearbeat: 100 });
// @ts-expect-error of the worker
new Client('tcp://127.0.0.1:5555', { concurrency: 1 });
new Client('tcp://127.0.0.1:5555', { reconnect: 100, reconnectMax: 1000 });
// @ts-expect-error
new Client('tcp://127.0.0.1:5555', { timeout: '100' });

// Where brokers are.
new Client('tcp://brokers.example:5555', { discover: 'all', discoverInterval: 1000, lookup: dns.lookup });
new Client('tcp://brokers.example:5555', { discover: 'one', lookup: dns.promises.lookup });
new Client('tcp://brokers.example:5555', { discover: 'all', lookup: (name) => dns.promises.resolve4(name) });
new Client('tcp+srv://_omdp._tcp.example', { resolveSrv: dns.resolveSrv });
new Client('tcp+srv://_omdp._tcp.example', { resolveSrv: new dns.promises.Resolver().resolveSrv });
new Client('tcp+srv://_omdp._tcp.example', { resolveSrv: async () => [{ name: 'a.example', port: 5555 }] });
new Client('tcp://brokers.example:5555', {
  lookup: (host, options, callback) => callback(null, host, options.all ? 4 : 6),
});
// @ts-expect-error
new Client('tcp://brokers.example:5555', { discover: 'some' });
client.setEndpoints('tcp://127.0.0.1:5555');
client.setEndpoints(['tcp://127.0.0.1:5555'] as const);
expectType<Equal<typeof client.endpoints, readonly string[]>>();
client.on('endpoints', (endpoints) => endpoints.join());

// Without generics, as in JavaScript.
client.request('echo', 'data');
client.request('echo', { any: ['thing'] }, undefined, undefined, { timeout: -1 }).on('end', () => {});
client.request(
  'echo',
  'data',
  (data) => {
    expectType<Equal<typeof data, any>>();
    data.whatever;
  },
  (err, data) => {
    expectType<Equal<typeof err, any>>();
    data.whatever;
  },
  { timeout: 5000 },
);
client.request('echo', 'data', (err, data) => {
  expectType<Equal<typeof err, any>>();
  data.whatever;
});
client.request('echo', 'data', (row: Row) => row.cell);
client.request('echo', 'data', (_err: null, row: Row) => row.cell);
client.request('echo', 'data', null, null, null);
client.request('echo', undefined, () => {});

// With generics.
client.request<number, Row, User>(
  'users',
  7,
  (row) => {
    expectType<Equal<typeof row, Row>>();
  },
  (err, user) => {
    expectType<Equal<typeof user, User | undefined>>();
    if (err === null) user?.id;
  },
);
client.request<number, Row, User>('users', 7, (err: null, row: Row) => {
  expectType<Equal<typeof err, null>>();
  expectType<Equal<typeof row, Row>>();
});
const final: FinalCallback<User, string> = (err) => {
  expectType<Equal<typeof err, string | ErrorCode | null>>();
};
client.request<number, Row, User>('users', 7, null, final);
// @ts-expect-error data
client.request<number, Row, User>('users', '7');
// @ts-expect-error no service
client.request();
// @ts-expect-error service
client.request(7, 'data');
// @ts-expect-error no callback, and no options
client.request('echo', 'data', { timeout: 'soon' });
// @ts-expect-error not a function
client.request('echo', 'data', null, 'cb');
// @ts-expect-error partial callbacks get no error
client.request<string, Row>('echo', 'data', (_err: Error, _data: Row) => {});
// @ts-expect-error partial
client.request<string, Row>('echo', 'data', (_data: User) => {});
// @ts-expect-error a callback of three
client.request('echo', 'data', (_a: any, _b: any, _c: any) => {});
// @ts-expect-error unknown option
client.request('echo', 'data', null, null, { timeOut: 5 });
// @ts-expect-error
client.request('echo', 'data', null, null, { timeout: '5' });
// @ts-expect-error
client.request('echo', 'data', null, null, { signal: new AbortController() });
// @ts-expect-error
client.request('echo', 'data', null, null, { headers: { nested: {} } });
client.request('echo', 'data', null, null, {
  timeout: 5,
  signal: AbortSignal.timeout(5),
  headers: { traceparent: '00', attempt: 1, dry: true },
});

client.request('echo', 'data', null, null, { retry: 3, failFast: true });
client.request('echo', 'data', null, null, { retry: null, failFast: null });
// @ts-expect-error
client.request('echo', 'data', null, null, { retry: true });
// @ts-expect-error
client.request('echo', 'data', null, null, { failFast: 1 });

async function streams() {
  const stream: RequestStream<Row, User> = client.requestStream<number, Row, User>('users', 7, {
    timeout: 1,
  });
  const readable: Readable = stream;
  readable.pipe(process.stdout);
  stream.on('data', (part) => {
    expectType<Equal<typeof part, Row | User>>();
  });
  stream.on('error', (error) => {
    expectType<Equal<typeof error, any>>();
  });
  stream.once('end', () => {}).on('close', () => {});
  for await (const part of stream) expectType<Equal<typeof part, Row | User>>();
  for await (const part of client.requestStream<null, Row | null, User | null>('users', null)) {
    expectType<Equal<typeof part, Row | User>>();
  }
  stream.heartbeat();
  expectType<Equal<typeof stream.rid, string>>();
  client.heartbeat(stream.rid);
  client.heartbeat();
  // @ts-expect-error
  client.heartbeat({});
  // @ts-expect-error
  stream.rid = '1';
}

async function calls() {
  const user = await client.call<number, User>('users', 7);
  expectType<Equal<typeof user, User>>();
  const anything = await client.call('users');
  expectType<Equal<typeof anything, any>>();
  await client.call<number, User>('users', 7, { signal: AbortSignal.timeout(5) });
  // @ts-expect-error data
  await client.call<number, User>('users', '7');
  try {
    await client.call('users', 7);
  } catch (error) {
    if (error instanceof OmdpError) {
      const known: boolean = error.code === 'C_TIMEOUT';
      const code: string = error.code;
      void [known, code, error.cause];
    } else if (error instanceof RemoteError) {
      expectType<Equal<typeof error.value, any>>();
      expectType<Equal<typeof error.code, string | undefined>>();
      error.message;
    }
  }
}

async function numbers() {
  const { connected, outstanding, queued, running, counters, latency } = await client.stats();
  expectType<Equal<(typeof counters)['errors']['C_TIMEOUT'] | (typeof latency)['p99'], number>>();
  expectType<Equal<typeof connected, boolean>>();
  expectType<Equal<typeof outstanding | typeof queued | typeof running, number>>();
}

async function life() {
  expectType<Equal<ReturnType<typeof client.start>, Promise<void> | undefined>>();
  const started: Promise<void> = client.start();
  await started;
  client.start((error) => {
    expectType<Equal<typeof error, StartError | undefined>>();
    error?.code.toLowerCase();
  });
  // @ts-expect-error
  client.start('now');
  const stopped: Promise<void> = client.stop();
  await stopped;
  client.stop(() => {});
  client.stop({ timeout: 5 }, () => {});
  await client.stop({ timeout: 5 });
  // @ts-expect-error
  client.stop({ timeOut: 5 });
  await using scoped = new Client('inproc://a');
  scoped.name;
  client
    .on('start', () => {})
    .on('stop', () => {})
    .on('connect', (endpoint) => endpoint.length)
    .on('disconnect', (endpoint, reason) => endpoint.length + reason.length)
    .on('error', (error) => error.code);
  // @ts-expect-error no such event
  client.on('strat', () => {});
  // @ts-expect-error of the worker
  client.on('request', () => {});
  // @ts-expect-error
  client.on('connect', (_endpoint: number) => {});
  // @ts-expect-error
  client.name = 'x';
}

void [streams, calls, numbers, life];

new Client('tcp://127.0.0.1:5555', { protocol: 'mdp/0.2-majortomo' });
// @ts-expect-error
new Client('tcp://127.0.0.1:5555', { protocol: 'mdp' });
// @ts-expect-error of the broker
new Client('tcp://127.0.0.1:5555', { dialects: ['omdp'] });

const directory = new Client('tcp://127.0.0.1:5555');
async function whoIsThere() {
  const [info] = await directory.services();
  expectType<Equal<typeof info.started, Date | null>>();
  const found = await directory.service('a', { timeout: 5 });
  expectType<Equal<NonNullable<typeof found>['instances'][0]['metadata'], any>>();
  expectType<Equal<Awaited<ReturnType<typeof directory.ping>>, number>>();
  for await (const { worker, value, error } of directory.callAll<number, string>('a', 5, {
    max: 3,
    stall: 5,
  })) {
    worker.trim();
    if (error === undefined) value.trim();
    else error.message.trim();
  }
  // @ts-expect-error
  directory.callAll('a', 5, { retry: 1 });
  for await (const change of directory.watchServices({ interval: 10 })) {
    if (change.type === 'gone') change.reason.trim();
    // @ts-expect-error
    else change.reason.trim();
  }
}
void whoIsThere;

client.call('echo', 1, { deadline: 500 });
client.request('echo', 1, { deadline: null });
client.call('echo', 1, { deadline: { remaining: 20 } });
// @ts-expect-error
client.call('echo', 1, { deadline: '500' });
// @ts-expect-error
client.call('echo', 1, { deadline: {} });
declare const source: Readable;
client.call('upload', source);
client.request('upload', source, { timeout: 100, deadline: 500 });
