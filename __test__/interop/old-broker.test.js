'use strict';
// A broker of 0.0.92 with our worker and our client. Each message that it receives is checked for being one that it
// understands, or one that it is known to ignore.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { before, describe, test } = require('node:test');
const { deferred, record } = require('../support/events');
const { OldBroker, OldClient, OldWorker } = require('../support/old');
const { SERVICE, ask, echo, peersFor, start, suiteScope } = require('../support/peers');
const { RAW_TRANSPORTS } = require('../support/raw');
const { JSON_VALUES, LONG_STRINGS, arriving } = require('../support/values');

const connected = (peer) => once(peer, 'connect');

/** An old broker, and our worker and client, connected. */
async function cast(t, handler = echo, { transport = 'tcp', worker: workerConf, client: clientConf } = {}) {
  const peers = peersFor(t, transport);
  const old = await OldBroker.start(t, peers.endpoint);
  const [worker, client] = [peers.worker(handler, workerConf), peers.client(clientConf)];
  const up = Promise.all([connected(worker), connected(client)]);
  // A worker of ours is connected when the broker has spoken to it, which this one does on a heartbeat only.
  await start(worker, client);
  await old.seen(([from, , command]) => from === worker.name && command === '1');
  await old.send(worker.name, 'W', '4');
  await up;
  return { peers, old, worker, client };
}

/** Sends what it gets as a partial and as a final; asked for `{ fail }`, that as an error. */
function mirror(data, reply) {
  if (data !== null && typeof data === 'object' && 'fail' in data) return reply.error(data.fail);
  reply.write(data);
  return reply.end(data);
}

for (const transport of RAW_TRANSPORTS) {
  describe(`an old broker over ${transport}`, () => {
    const scope = suiteScope();
    let client;
    let worker;
    let old;
    before(async () => {
      ({ client, worker, old } = await cast(scope, mirror, { transport }));
    });
    const from =
      (peer, command) =>
      ([id, , what]) =>
        id === peer.name && what === command;

    test('gets READY with its service, and behind it the hello that it ignores', async () => {
      const [, ...frames] = await old.seen(from(worker, '1'));
      assert.equal(frames.length, 4);
      assert.deepEqual(frames.slice(0, 3), ['W', '1', SERVICE]);
      const hello = JSON.parse(frames[3]);
      assert.deepEqual([hello.omdp, hello.heartbeat, hello.concurrency], [1, 2500, 1]);
    });

    test('gets a request as it knows it, with one frame more', async () => {
      assert.deepEqual(await client.call(SERVICE, { a: 1 }, { timeout: 5000 }), { a: 1 });
      const [, ...frames] = await old.seen(from(client, '2'));
      assert.equal(frames.length, 7);
      const [header, command, service, rid, data, opts] = frames;
      assert.deepEqual([header, command, service, data], ['C', '2', SERVICE, '{"a":1}']);
      assert.deepEqual(JSON.parse(opts), { timeout: 5000 });
      // It is the key of an object there, and comes back as text.
      assert.match(rid, /^[\x21-\x7e]+$/);
    });

    test('gets no trace context, which it would not pass on', async () => {
      const headers = { mine: '1', traceparent: '00-0af7-b7ad-01', tracestate: 'a=b' };
      await client.call(SERVICE, 'traced', { timeout: 5000, headers });
      await client.call(SERVICE, 'only traced', {
        timeout: 5000,
        headers: { traceparent: '00-0af7-b7ad-01' },
      });
      const optsOf = async (data) => {
        const frames = await old.seen(
          ([id, , command, , , text]) =>
            id === client.name && command === '2' && text === JSON.stringify(data),
        );
        return JSON.parse(frames[6]);
      };
      assert.deepEqual(await optsOf('traced'), { timeout: 5000, headers: { mine: '1' } });
      assert.deepEqual(await optsOf('only traced'), { timeout: 5000 });
    });

    test('gets partials and finals as it knows them', async () => {
      await client.call(SERVICE, 'frames');
      const partial = await old.seen(
        ([id, , command, , , , data]) => id === worker.name && command === '6' && data === '"frames"',
      );
      const final = await old.seen(
        ([id, , command, , , , data]) => id === worker.name && command === '3' && data === '"frames"',
      );
      for (const [frames, command] of [
        [partial, '6'],
        [final, '3'],
      ]) {
        assert.equal(frames.length, 7);
        assert.deepEqual([frames[1], frames[2], frames[3], frames[5]], ['W', command, client.name, '0']);
      }
    });

    for (const [name, value] of [...JSON_VALUES, ...LONG_STRINGS]) {
      test(`passes on ${name}`, async () => {
        const expected = arriving(value);
        // A null partial could reach a client of 0.0.92, which it kills: toward an old broker it is left out.
        const partials = expected === null ? [] : [[null, expected]];
        assert.deepEqual(await ask(client, value), { partials, final: [null, expected] });
      });
    }

    test('passes on a Buffer as JSON, in the form that 0.0.92 sent', async () => {
      const form = { type: 'Buffer', data: [0, 127, 128, 255] };
      const bytes = Buffer.from(form.data);
      assert.deepEqual(await ask(client, bytes), { partials: [[null, form]], final: [null, form] });
    });

    test('passes on error values; zero, which would be a success there, as a string', async () => {
      for (const value of ['E', { code: 1 }, [1], 42, false, null, '', true, '0']) {
        assert.deepEqual((await ask(client, { fail: value })).final, [value]);
      }
      assert.deepEqual((await ask(client, { fail: 0 })).final, ['0']);
    });

    test('has 200 requests at once answered', async () => {
      const data = [...Array(200).keys()];
      assert.deepEqual(await Promise.all(data.map((each) => client.call(SERVICE, each))), data);
    });
  });
}

test('500 partials arrive in order', async (t) => {
  const { client } = await cast(t, (count, reply) => {
    for (let i = 0; i < count; i += 1) reply.write(i);
    reply.end('end');
  });
  const { partials, final } = await ask(client, 500);
  assert.deepEqual(
    partials.map(([, data]) => data),
    [...Array(500).keys()],
  );
  assert.deepEqual(final, [null, 'end']);
});

test('a Buffer from the worker arrives as the JSON of one', async (t) => {
  const bytes = Buffer.from([1, 2, 255]);
  const { client } = await cast(t, (data, reply) => {
    reply.write(bytes);
    if (data === 'fail') reply.error(bytes);
    else reply.end(bytes);
  });
  const form = { type: 'Buffer', data: [1, 2, 255] };
  assert.deepEqual(await ask(client, 1), { partials: [[null, form]], final: [null, form] });
  assert.deepEqual((await ask(client, 'fail')).final, [form]);
});

test('the handler’s third argument is there, without options: it does not pass them on', async (t) => {
  const { client } = await cast(t, (data, reply, opts) => reply.end(opts));
  assert.deepEqual(await client.call(SERVICE, 1, { headers: { a: 1 } }), { attempt: 1 });
});

test('one request at a time, whatever the concurrency: it gives no more', async (t) => {
  let running = 0;
  let most = 0;
  const { client } = await cast(
    t,
    (data, reply) => {
      running += 1;
      most = Math.max(most, running);
      setImmediate(() => {
        running -= 1;
        reply.end(data);
      });
    },
    { worker: { concurrency: 10 } },
  );
  await Promise.all([...Array(50).keys()].map((each) => client.call(SERVICE, each)));
  assert.equal(most, 1);
});

test('its worker and its client of 0.0.92 work with ours', async (t) => {
  const { peers, client } = await cast(t);
  const oldClient = new OldClient(t, peers.endpoint);
  assert.deepEqual(await oldClient.ask(SERVICE, { a: 1 }), { partials: [], final: { a: 1 } });

  const oldWorker = new OldWorker(t, peers.endpoint, { service: 'old' });
  await oldWorker.ready();
  const asked = ask(client, 'for the old', {}, 'old');
  const request = await oldWorker.request();
  assert.equal(request.data, 'for the old');
  await oldWorker.partial(request, 1);
  await oldWorker.error(request, 'from the old');
  assert.deepEqual(await asked, { partials: [[null, 1]], final: ['from the old'] });
});

describe('time', () => {
  test('a request times out at the client, and the late reply is nobody’s', async (t) => {
    const running = deferred();
    const { client } = await cast(t, (data, reply) => {
      if (data === 'slow') running.resolve(reply);
      else reply.end(data);
    });
    assert.deepEqual((await ask(client, 'slow', { timeout: 20 })).final, ['C_TIMEOUT']);
    (await running.promise).end('too late');
    assert.equal(await client.call(SERVICE, 'next'), 'next');
  });

  test('the client beats for itself and for each request, so that an old worker knows it is wanted', async (t) => {
    const running = deferred();
    const { old, client } = await cast(t, (data, reply) => running.resolve(reply), {
      client: { heartbeat: 10 },
    });
    const call = client.call(SERVICE, 1);
    const reply = await running.promise;
    const [, , , , rid] = await old.seen(([from, , command]) => from === client.name && command === '2');
    await old.seen((frames) => frames.length === 3 && frames[0] === client.name && frames[2] === '4');
    await old.seen((frames) => frames.length === 4 && frames[2] === '4' && frames[3] === rid);
    reply.end('done');
    assert.equal(await call, 'done');
  });

  test('a broker that never speaks to a client is not lost to it', async (t) => {
    const { old, client } = await cast(t, echo, { client: { heartbeat: 10, liveness: 3 } });
    const log = record(client, ['connect', 'disconnect']);
    const beats = () => old.log.filter(([from, , command]) => from === client.name && command === '4').length;
    await old.seen(() => beats() >= 10);
    assert.deepEqual(log, []);
    assert.equal(await client.call(SERVICE, 'still there'), 'still there');
  });

  test('the worker’s heartbeats are answered, and keep it', async (t) => {
    const { old, worker, client } = await cast(t, echo, { worker: { heartbeat: 100, liveness: 5 } });
    const log = record(worker, ['connect', 'disconnect']);
    const beats = () => old.log.filter(([from, , command]) => from === worker.name && command === '4').length;
    await old.seen(() => beats() >= 8);
    assert.deepEqual(log, []);
    assert.equal(await client.call(SERVICE, 1), 1);
  });
});

test('DISCONNECT makes the worker start over', async (t) => {
  const { old, worker, client } = await cast(t, echo, { worker: { reconnect: 1 } });
  const log = record(worker, ['connect', 'disconnect']);
  const again = once(worker, 'connect');
  await old.send(worker.name, 'W', '5');
  // The old broker has it still, answers its READY with DISCONNECT, and takes the one after that.
  const readies = () => old.log.filter(([from, , command]) => from === worker.name && command === '1').length;
  await old.seen(() => readies() === 3);
  assert.equal(await client.call(SERVICE, 1), 1);
  await again;
  assert.deepEqual(log[0], ['disconnect', log[0][1], 'disconnected by the broker']);
});

test('stop() says DISCONNECT for the worker', async (t) => {
  const { old, worker } = await cast(t);
  await worker.stop();
  assert.deepEqual(await old.seen(([from, , command]) => from === worker.name && command === '5'), [
    worker.name,
    'W',
    '5',
  ]);
});

test('a broker that goes takes the requests it was given with it: B_LOST', async (t) => {
  const running = deferred();
  const { old, client } = await cast(t, (data, reply) => running.resolve(reply));
  const asked = ask(client, 1);
  const reply = await running.promise;
  old.close();
  assert.deepEqual((await asked).final, ['B_LOST']);
  if (reply.active()) await once(reply.signal, 'abort');
});
