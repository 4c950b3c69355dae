// Types inferred from schemas of zod and valibot; the declarations of arktype need a TypeScript later than 5.4.
import * as v from 'valibot';
import { z } from 'zod';
import { Client, Worker, type WorkerOf } from '../../index.js';
import { type Equal, expectType } from './expect.js';

const add = { request: z.tuple([z.number(), z.number()]), reply: z.number() };
const days = {
  request: v.object({ from: v.string() }),
  partial: v.pipe(
    v.string(),
    v.transform((text) => text.length),
  ),
  reply: v.null(),
};
const users = { request: z.object({ id: z.number() }), reply: z.object({ name: z.string() }) };
const client = new Client('tcp://127.0.0.1:5555', { timeout: 5, schemas: { add, days, users } });

async function calls() {
  expectType<Equal<Awaited<ReturnType<typeof sum>>, number>>();
  const user = await client.call('users', { id: 1 });
  expectType<Equal<typeof user, { name: string }>>();
  for await (const length of client.requestStream('days', { from: 'x' })) {
    expectType<Equal<typeof length, number>>();
  }
  // @ts-expect-error wrong data
  await client.call('add', ['1', 2]);
  // @ts-expect-error no such service
  await client.call('sub', [1, 2]);
}
const sum = () => client.call('add', [1, 2]);

const worker = new Worker('tcp://127.0.0.1:5555', 'days', { schema: days });
worker.on('request', (data, reply) => {
  expectType<Equal<typeof data, { from: string }>>();
  reply.write('2026-01-01');
  // @ts-expect-error the schema takes strings
  reply.write(1);
  reply.end(null);
});

// A worker gets the output of a schema, and a client gives its input.
const sizes = { size: { request: z.object({ n: z.string().transform(Number) }), reply: z.number() } };
const sizeWorker: WorkerOf<typeof sizes, 'size'> = new Worker('tcp://127.0.0.1:5555', 'size', {
  schema: sizes.size,
});
sizeWorker.on('request', (data) => expectType<Equal<typeof data, { n: number }>>());
new Client('tcp://127.0.0.1:5555', { schemas: sizes }).call('size', { n: '1' });

// @ts-expect-error no schema
new Worker('tcp://127.0.0.1:5555', 'days', { schema: { request: 1 } });

export { calls };
