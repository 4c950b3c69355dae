// biome-ignore-all lint/suspicious/noExplicitAny: it is a part of the interface

import fs from 'node:fs';
import type { Writable } from 'node:stream';
import { Client, type PeerStats, type Reply, type RequestListener, Worker } from '../../index.js';
import { type Equal, expectType } from './expect.js';

interface Job {
  path: string;
}

const plain = new Worker('tcp://127.0.0.1:5555', 'files');
plain.on('request', (data, reply, opts) => {
  expectType<Equal<typeof data, any>>();
  expectType<Equal<typeof reply, Reply<any, any>>>();
  fs.createReadStream(data.path).pipe(reply);
  opts.headers?.traceparent;
  expectType<Equal<typeof opts.timeout, number | undefined>>();
  expectType<Equal<typeof opts.attempt, number>>();
  // @ts-expect-error frozen
  opts.timeout = 5;
});
plain.on('request', async (data, reply) => {
  reply.end(data);
});
plain.once('request', (_data, reply) => reply.end());

const typed = new Worker<Job, Buffer, number>(['ipc:///tmp/broker'], 'files', {
  heartbeat: 100,
  reconnect: 50,
  concurrency: -1,
  maxBlocked: 5000,
  maxRunning: 60_000,
  name: 'w1',
  liveness: 5,
});
typed.on('request', (job, reply) => {
  expectType<Equal<typeof job, Job>>();
  const writable: Writable = reply;
  const more: boolean = reply.write(Buffer.from('a'));
  reply.write(Buffer.from('a'), (error) => error?.message);
  reply.write(Buffer.from('a'), 'utf8', () => {});
  reply.write(Buffer.from('a'), { transfer: true }, () => {});
  // @ts-expect-error: an option that does not exist
  reply.write(Buffer.from('a'), { transfre: true });
  // @ts-expect-error partials are Buffers
  reply.write('a');
  if (!reply.active() || reply.ended || reply.signal.aborted) return;
  reply.heartbeat();
  reply.end(1).once('finish', () => {});
  reply.end();
  reply.end(() => {});
  reply.end(1, () => {});
  // @ts-expect-error finals are numbers
  reply.end('a');
  reply.error(new Error('no'));
  reply.error({ any: 'value' });
  reply.error();
  reply.destroy(new Error('no'));
  // @ts-expect-error
  reply.ended = true;
  void [writable, more];
});
const listener: RequestListener<Job, Buffer, number> = async (job, reply) => {
  reply.end(job.path.length);
};
typed.on('request', listener).off('request', listener);
// @ts-expect-error
typed.on('request', (job: string) => job);
// @ts-expect-error
typed.on('requests', () => {});

// @ts-expect-error no service
new Worker('tcp://127.0.0.1:5555');
// @ts-expect-error
new Worker('tcp://127.0.0.1:5555', 7);
new Worker(['tcp://127.0.0.1:5555', 'tcp://127.0.0.1:5556'], 'files');
// @ts-expect-error
new Worker([5555], 'files');
// @ts-expect-error of the client
new Worker('tcp://127.0.0.1:5555', 'files', { timeout: 5 });
// @ts-expect-error
new Worker('tcp://127.0.0.1:5555', 'files', { concurrency: 'all' });

typed.concurrency = 5;
typed.pause();
typed.resume();
expectType<Equal<typeof typed.paused, boolean>>();
// @ts-expect-error
typed.concurrency = '5';
// @ts-expect-error
typed.service = 'other';

async function life() {
  await typed.start();
  typed.start((error) => error?.code);
  await typed.stop();
  expectType<Equal<Awaited<ReturnType<typeof typed.stats>>, PeerStats>>();
  await typed.stop({ timeout: 1000 });
  typed.stop({ timeout: 1000 }, () => {});
  typed.stop(() => {});
  // @ts-expect-error
  typed.stop(1000);
}

void life;

new Worker('tcp://127.0.0.1:5555', 's', { protocol: 'mdp/0.2-majortomo' });
// @ts-expect-error
new Worker('tcp://127.0.0.1:5555', 's', { protocol: 'mdp' });
// @ts-expect-error of the broker
new Worker('tcp://127.0.0.1:5555', 's', { dialects: ['omdp'] });

const several = new Worker(
  'tcp://127.0.0.1:5555',
  {
    add: (data, reply, { attempt }) => reply.end(data.a + attempt),
    mul: async (data, reply) => reply.end(data),
  },
  { concurrency: 2, description: 'd', metadata: { a: 1 } },
);
expectType<Equal<typeof several.services, readonly string[]>>();
// @ts-expect-error
new Worker('tcp://127.0.0.1:5555', { add: 5 });

new Worker('inproc://a', 'front').on('request', (_data, reply, options) => {
  expectType<Equal<typeof reply.remaining, number>>();
  expectType<Equal<typeof options.deadline, number | undefined>>();
  new Client('inproc://a').call('back', 1, { deadline: reply });
  // @ts-expect-error
  reply.remaining = 5;
});
