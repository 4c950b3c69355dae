'use strict';
// Schemas at either end: what does not match them ends where its culprit is told.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { type } = require('arktype');
const v = require('valibot');
const { z } = require('zod');
const { Client, Worker } = require('../..');
const { SERVICE, peersFor } = require('../support/peers');

const OF = {
  zod: { request: z.object({ n: z.number() }), partial: z.string(), reply: z.number() },
  valibot: { request: v.object({ n: v.number() }), partial: v.string(), reply: v.number() },
  arktype: { request: type({ n: 'number' }), partial: type('string'), reply: type('number') },
};

for (const [library, schema] of Object.entries(OF)) {
  describe(`a schema of ${library}`, () => {
    test('lets pass what matches', async (t) => {
      const { client } = await peersFor(t).trio(
        ({ n }, reply) => {
          reply.write('part');
          reply.end(n);
        },
        { client: { schemas: { [SERVICE]: schema } }, worker: { schema } },
      );
      assert.equal(await client.call(SERVICE, { n: 5 }), 5);
      assert.deepEqual(await client.requestStream(SERVICE, { n: 6 }).toArray(), ['part', 6]);
    });

    test('refuses the data of a request where it is given', async (t) => {
      const handled = [];
      const { client } = await peersFor(t).trio((data) => handled.push(data), {
        client: { schemas: { [SERVICE]: schema } },
      });
      const refused = (error) => {
        assert.ok(error instanceof TypeError);
        assert.equal(error.code, 'ERR_OMDP_SCHEMA');
        assert.match(error.message, /^the request does not match the schema of service "service": n: /);
        assert.equal(error.issues.length, 1);
        return true;
      };
      await assert.rejects(client.call(SERVICE, { n: 'x' }), refused);
      assert.throws(() => client.request(SERVICE, { n: 'x' }), refused);
      assert.deepEqual(handled, []);
    });

    test('refuses the data of a request at its worker', async (t) => {
      const handled = [];
      const { client } = await peersFor(t).trio((data) => handled.push(data), { worker: { schema } });
      await assert.rejects(client.call(SERVICE, { n: 'x' }), (error) => {
        assert.equal(error.code, 'C_BAD_REQUEST');
        assert.match(error.message, /^the request does not match the schema of service "service": n: /);
        assert.deepEqual(error.value.issues[0].path, ['n']);
        return true;
      });
      assert.deepEqual(handled, []);
    });

    test('refuses what a handler writes and ends with', async (t) => {
      const { client } = await peersFor(t).trio(
        ({ n }, reply) => {
          if (n === 1) reply.write(1);
          else reply.end('text');
        },
        { worker: { schema } },
      );
      const rejects = (n, message) =>
        assert.rejects(client.call(SERVICE, { n }), { code: 'ERR_OMDP_SCHEMA', message });
      await rejects(1, /^a part of the reply does not match the schema of service "service": /);
      // The value itself does not match, so no path precedes the message of the library.
      await rejects(2, /^the reply does not match the schema of service "service": [A-Za-z]/);
    });

    test('ends a request whose reply does not match', async (t) => {
      const { client } = await peersFor(t).trio(
        ({ n }, reply) => {
          if (n === 1) reply.write(1);
          reply.end('text');
        },
        { client: { schemas: { [SERVICE]: schema } } },
      );
      for (const [n, message] of [
        [1, /^a part of the reply does not match/],
        [2, /^the reply does not match/],
      ]) {
        await assert.rejects(client.call(SERVICE, { n }), (error) => {
          assert.equal(error.code, 'W_BAD_REPLY');
          assert.match(error.message, message);
          assert.equal(error.cause.issues.length, 1);
          return true;
        });
      }
      await new Promise((resolve) => {
        client.request(SERVICE, { n: 2 }, null, (code) => {
          assert.equal(code, 'W_BAD_REPLY');
          resolve();
        });
      });
    });
  });
}

test('who receives gets what the schema makes of the data', async (t) => {
  const handled = [];
  const schema = {
    request: z.object({ n: z.string().transform(Number) }),
    reply: z.number().transform((n) => n + 1),
  };
  const { client } = await peersFor(t).trio(
    (data, reply) => {
      handled.push(data);
      reply.end(data.n);
    },
    { client: { schemas: { [SERVICE]: schema } }, worker: { schema } },
  );
  assert.equal(await client.call(SERVICE, { n: '4' }), 5);
  assert.deepEqual(handled, [{ n: 4 }]);
});

test('services without a schema take anything', async (t) => {
  const { client } = await peersFor(t).trio((data, reply) => reply.end(data), {
    client: { schemas: { other: { request: z.number() } } },
  });
  assert.equal(await client.call(SERVICE, 'anything'), 'anything');
});

test('what is no schema, or an asynchronous one, is refused', async (t) => {
  const make = (schema) => () => new Worker('inproc://x', 's', { schema });
  assert.throws(make({ request: 1 }), {
    message: /^option "schema"\.request must be a schema with "~standard", got 1/,
  });
  assert.throws(make({ requests: z.any() }), {
    message: /^unknown member "requests" of option "schema"; did you mean "request"\? The known ones are: /,
  });
  assert.throws(() => new Client('inproc://x', { schemas: { s: 1 } }), {
    message: /^option "schemas"\["s"\] must be an object, got 1/,
  });
  const { client } = await peersFor(t).trio(() => {}, {
    client: { schemas: { [SERVICE]: { request: z.number().refine(async () => true) } } },
  });
  await assert.rejects(client.call(SERVICE, 1), TypeError);
});

test('a worker of several services has schemas by their names', async (t) => {
  const peers = peersFor(t);
  const { client } = await peers.trio(() => {});
  const schemas = {
    double: { request: z.number(), reply: z.number() },
    join: { request: z.array(z.string()).transform((list) => list.join()), partial: z.string() },
  };
  const handlers = {
    double: (n, reply) => reply.end(n === 0 ? 'nothing' : 2 * n),
    join: (text, reply) => {
      try {
        reply.write(1);
      } catch (error) {
        reply.write(error.message);
      }
      reply.end(text);
    },
    free: (data, reply) => reply.end(data),
  };
  const worker = new Worker(peers.endpoint, handlers, { schemas });
  t.after(() => worker.stop());
  await worker.start();
  assert.equal(await client.call('double', 2), 4);
  assert.equal(await client.call('free', 'anything'), 'anything');
  assert.deepEqual(await client.requestStream('join', ['a', 'b']).toArray(), [
    'a part of the reply does not match the schema of service "join": Invalid input: expected string, received number',
    'a,b',
  ]);
  await assert.rejects(client.call('double', 'x'), {
    code: 'C_BAD_REQUEST',
    message: /^the request does not match the schema of service "double": /,
  });
  await assert.rejects(client.call('join', 1), {
    code: 'C_BAD_REQUEST',
    message: /^the request does not match the schema of service "join": /,
  });
  await assert.rejects(client.call('double', 0), {
    message: /^the reply does not match the schema of service "double": /,
  });
});

test('schemas of a worker are those of its services', () => {
  const handlers = { a: () => {}, b: () => {} };
  const make = (service, conf) => () => new Worker('inproc://x', service, conf);
  assert.throws(make(handlers, { schema: {} }), {
    message: 'option "schema" requires a worker of one service; use "schemas" for several',
  });
  assert.throws(make('a', { schema: {}, schemas: { a: {} } }), {
    message: 'option "schemas" cannot be combined with "schema"',
  });
  assert.throws(make(handlers, { schemas: { c: {} } }), {
    message: 'option "schemas" has "c", which is not a service of the worker: a, b',
  });
  make('a', { schemas: { a: {} } })();
});
