'use strict';
// Streams that are written faster than they are read: what is under way is bounded, in every process on its way.
const assert = require('node:assert/strict');
const { createHash, randomBytes } = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { describe, test } = require('node:test');
const { setImmediate: turn } = require('node:timers/promises');
const { Dealer } = require('zeromq');
const { runChild } = require('./support/child');
const { freshEndpoint } = require('./support/endpoints');
const { deferred, until } = require('./support/events');
const { OldBroker, OldWorker } = require('./support/old');
const { rawRouter } = require('./support/raw');
const { SERVICE, ask, echo, peersFor, start } = require('./support/peers');

const MIB = 1024 * 1024;
const { WINDOW } = require('../lib/flow');

/** Far more than what is bounded takes, and far less than what the streams of these tests would if it were not. */
const GROWTH = 96 * MIB;

/** Where processes can be stopped. */
const STOPS = process.platform !== 'win32';

/** What a program has grown to; in the text of each. */
const WATCH = `
  const base = process.memoryUsage().rss;
  let most = base;
  setInterval(() => { most = Math.max(most, process.memoryUsage().rss); }, 5).unref();
  const growth = () => most - base;
`;

/** @param {Function} program whose first lines are WATCH */
function runWatched(t, program, args) {
  const text = program.toString();
  const body = text.indexOf('{', text.indexOf(')')) + 1;
  return runChild(t, { toString: () => text.slice(0, body) + WATCH + text.slice(body) }, args);
}

/* global growth */

/** Waits until a number does not grow any more: the buffers of the two kernels are full. */
async function standstill(number) {
  let last;
  await until(async () => {
    const stood = last === number();
    last = number();
    await new Promise((resolve) => setTimeout(resolve, 300));
    return stood;
  });
}

const brokerProgram = ({ omdp, say, endpoint, conf }) => {
  const broker = new omdp.Broker(endpoint, conf);
  for (const name of ['clientGone', 'workerGone']) broker.on(name, (event) => say(name, event));
  process.stdin.on('data', () => say('growth', growth()));
  broker.start(() => say('started'));
};

/** Writes so many parts, each when there is room, and says how often there was none. */
const workerProgram = ({ omdp, say, endpoint, service, count, size }) => {
  const { once } = require('node:events');
  const worker = new omdp.Worker(endpoint, service, { concurrency: 4 });
  worker.on('request', async (data, reply) => {
    if (data === 'ping') return reply.end('pong');
    const part = Buffer.alloc(size, 7);
    let waits = 0;
    for (let i = 0; i < count && reply.active(); i += 1) {
      if (reply.write(part)) continue;
      waits += 1;
      if (waits === 1) say('full');
      await once(reply, 'drain');
    }
    reply.end('end');
    say('done', { waits, growth: growth(), active: reply.active() });
  });
  worker.once('connect', () => say('ready'));
  worker.start();
};

/** Reads so many parts, a bit later each, and says what it got; or begins, and waits to be stopped. */
const clientProgram = ({ omdp, say, endpoint, service, slowly }) => {
  const client = new omdp.Client(endpoint);
  client.start();
  const read = async () => {
    const pings = [];
    let bytes = 0;
    let last;
    let parts = 0;
    for await (const part of client.requestStream(service, 'go')) {
      last = part;
      if (!Buffer.isBuffer(part)) continue;
      bytes += part.length;
      parts += 1;
      if (parts === 20) say('reading');
      if (parts % 200 === 0) {
        const begin = Date.now();
        pings.push(client.call(service, 'ping').then(() => Date.now() - begin));
      }
      if (slowly) await new Promise((done) => setTimeout(done, parts % 4 === 0 ? 1 : 0));
    }
    say('end', { bytes, last, growth: growth(), pings: await Promise.all(pings) });
  };
  read().finally(() => client.stop());
};

describe('a stream of 200 MB to a client that reads slowly', () => {
  test('is whole; no process grows by it, write() waits, and other requests pass', async (t) => {
    const endpoint = freshEndpoint('tcp');
    const broker = runWatched(t, brokerProgram, { endpoint });
    await broker.said('started');
    const size = 64 * 1024;
    const count = (200 * MIB) / size;
    const worker = runWatched(t, workerProgram, { endpoint, service: SERVICE, count, size });
    await worker.said('ready');
    const client = runWatched(t, clientProgram, { endpoint, service: SERVICE, slowly: true });
    const { value: end } = await client.said('end');
    const { value: done } = await worker.said('done');
    broker.tell('growth');
    const { value: atBroker } = await broker.said('growth');
    assert.equal(end.bytes, 200 * MIB);
    assert.equal(end.last, 'end');
    assert.ok(done.waits > 100, `${done.waits} waits`);
    assert.equal(end.pings.length, Math.floor(count / 200));
    assert.ok(Math.max(...end.pings) < 1000, `${Math.max(...end.pings)} ms`);
    for (const grown of [end.growth, done.growth, atBroker]) {
      assert.ok(grown < GROWTH, `grew by ${Math.round(grown / MIB)} MiB`);
    }
  });
});

test('a client whose process stops is given up, the broker does not grow, others go on', {
  skip: !STOPS,
}, async (t) => {
  const endpoint = freshEndpoint('tcp');
  const conf = { heartbeat: 200 };
  const broker = runWatched(t, brokerProgram, { endpoint, conf });
  await broker.said('started');
  const args = { endpoint, service: SERVICE, count: 1e6, size: 64 * 1024 };
  const worker = runWatched(t, workerProgram, args);
  await worker.said('ready');
  const client = runWatched(t, clientProgram, { endpoint, service: SERVICE, slowly: true });
  await client.said('reading');
  client.process.kill('SIGSTOP');
  const peers = peersFor(t);
  peers.endpoint = endpoint;
  const other = peers.client();
  await other.start();
  assert.equal(await other.call(SERVICE, 'ping'), 'pong');
  const { value: gone } = await broker.said('clientGone');
  assert.equal(gone.reason, 'heartbeat lost');
  assert.equal(gone.lost, 1);
  const { value: done } = await worker.said('done');
  assert.ok(done.growth < GROWTH, `the worker grew by ${done.growth}`);
  assert.equal(await other.call(SERVICE, 'ping'), 'pong');
  broker.tell('growth');
  const { value: grown } = await broker.said('growth');
  assert.ok(grown < GROWTH, `the broker grew by ${grown}`);
});

test('a worker whose process stops and is sent too much loses its place', { skip: !STOPS }, async (t) => {
  const peers = peersFor(t, 'tcp');
  // Long enough not to be what it is lost by.
  const broker = peers.broker({ maxPeerBytes: 8 * MIB, heartbeat: 20_000 });
  await broker.start();
  const program = ({ omdp, say, endpoint, service }) => {
    const worker = new omdp.Worker(endpoint, service, { concurrency: -1 });
    worker.once('connect', () => say('ready'));
    worker.start();
  };
  const worker = runChild(t, program, { endpoint: peers.endpoint, service: SERVICE });
  await worker.said('ready');
  worker.process.kill('SIGSTOP');
  const gone = once(broker, 'workerGone');
  const client = peers.client();
  await client.start();
  const data = Buffer.alloc(MIB);
  const calls = Array.from({ length: 60 }, () => client.call(SERVICE, data).catch((error) => error.code));
  const [{ reason, lost }] = await gone;
  assert.equal(reason, 'too slow');
  // What the kernel takes comes on top.
  assert.ok(lost >= 8, `${lost} were lost`);
  assert.equal((await client.call('mmi.stats')).slowPeersTotal, 1);
  peers.worker(echo).start();
  const results = await Promise.all(calls);
  assert.equal(results.filter((result) => result === 'W_LOST').length, lost);
  assert.equal(results.filter(Buffer.isBuffer).length, 60 - lost);
});

describe('a client of 0.0.92 that does not read', () => {
  /** One that takes what it must, and no more. */
  function lazyClient(t, endpoint) {
    const socket = new Dealer({
      linger: 0,
      receiveHighWaterMark: 2,
      receiveTimeout: 20_000,
      routingId: 'C-old',
    });
    t.after(() => socket.close());
    socket.connect(endpoint);
    return socket;
  }

  test('gets what was kept for it, and then an error, when its worker goes on and on', async (t) => {
    const endpoint = freshEndpoint('tcp');
    const conf = { maxPeerBytes: 8 * MIB };
    const broker = runWatched(t, brokerProgram, { endpoint, conf });
    await broker.said('started');
    const worker = new OldWorker(t, endpoint, { service: SERVICE });
    await worker.ready();
    const client = lazyClient(t, endpoint);
    await client.send(['C', '2', SERVICE, 'r1', '"go"', '{"timeout":-1}']);
    const request = await worker.request();
    const part = 'x'.repeat(64 * 1024);
    const count = 4000;
    for (let i = 0; i < count; i += 1) await worker.partial(request, `${i} ${part}`);
    await worker.final(request, 'end');
    const { value: gone } = await broker.said('clientGone');
    assert.deepEqual(gone, { client: 'C-old', reason: 'too slow', lost: 1 });
    broker.tell('growth');
    const { value: grown } = await broker.said('growth');
    assert.ok(grown < GROWTH, `the broker grew by ${grown}`);
    for (let i = 0; ; i += 1) {
      const [, command, , code, body] = (await client.receive()).map(String);
      if (command === '3') {
        assert.equal(code, '"C_SLOW"');
        assert.ok(i >= (8 * 16) / 2 && i < count, `${i} parts`);
        break;
      }
      assert.ok(body.startsWith(`"${i} `), 'in order, and none is missing');
    }
  });

  test('has a worker of ours wait for it, and loses nothing', async (t) => {
    const peers = peersFor(t, 'tcp');
    let written = 0;
    const full = deferred();
    const count = 2000;
    await peers.broker().start();
    const worker = peers.worker(async (data, reply) => {
      for (let i = 0; i < count; i += 1) {
        if (reply.write(`${i} ${'x'.repeat(64 * 1024)}`)) continue;
        full.resolve();
        written = i;
        await once(reply, 'drain');
      }
      reply.end('end');
    });
    await worker.start();
    const client = lazyClient(t, peers.endpoint);
    await client.send(['C', '2', SERVICE, 'r1', '"go"', '{"timeout":-1}']);
    await full.promise;
    await standstill(() => written);
    assert.ok(written < count / 2, `${written} parts`);
    for (let i = 0; i < count; i += 1) {
      const [, , , , body] = (await client.receive()).map(String);
      assert.ok(body.startsWith(`"${i} `), `part ${i}`);
    }
    const [, command] = (await client.receive()).map(String);
    assert.equal(command, '3');
  });
});

describe('reply.write()', () => {
  /** A reply that nobody reads, and its stream. */
  async function unread(t, transport = 'tcp') {
    const given = deferred();
    const { client, worker } = await peersFor(t, transport).trio((data, reply) => given.resolve(reply));
    const stream = client.requestStream(SERVICE, 1);
    return { reply: await given.promise, stream, client, worker };
  }

  const PART = Buffer.alloc(10_000, 1);

  async function collect(stream) {
    const got = [];
    for await (const part of stream) got.push(part);
    return got;
  }

  for (const transport of ['tcp', 'ipc', 'inproc']) {
    test(`turns false when a window is under way, true when it was read; over ${transport}`, async (t) => {
      const { reply, stream } = await unread(t, transport);
      let accepted = 0;
      while (reply.write(PART)) accepted += 1;
      assert.equal(accepted, Math.ceil(WINDOW / (PART.length + 64)));
      assert.equal(reply.writableLength, 1);
      assert.equal(reply.writableNeedDrain, true);
      const drained = once(reply, 'drain');
      const reading = collect(stream);
      await drained;
      assert.equal(reply.writableLength, 0);
      assert.equal(reply.write(PART), true);
      reply.end('end');
      const got = await reading;
      assert.equal(got.length, accepted + 3);
      assert.equal(got.at(-1), 'end');
    });
  }

  test('what waits goes before end() and before error()', async (t) => {
    for (const last of ['end', 'error']) {
      const { reply, stream } = await unread(t);
      for (let i = 0; i < 100; i += 1) reply.write(PART);
      reply[last]('last');
      assert.equal(reply.ended, true);
      let parts = 0;
      const outcome = await (async () => {
        for await (const part of stream) {
          if (part === 'last') return 'end';
          parts += 1;
        }
      })().catch(({ value }) => value === 'last' && 'error');
      assert.equal(outcome, last);
      assert.equal(parts, 100);
    }
  });

  test('destroy() while parts wait is no success', async (t) => {
    const { reply, stream } = await unread(t);
    for (let i = 0; i < 100; i += 1) reply.write(PART);
    reply.end('last');
    reply.destroy();
    await assert.rejects(collect(stream), (error) => error.code === 'W_DESTROYED');
  });

  test('a request that is given up lets go of what waits', async (t) => {
    const { reply, stream, client } = await unread(t);
    while (reply.write(PART));
    const drained = once(reply, 'drain');
    stream.destroy();
    await drained;
    assert.equal(reply.active(), false);
    assert.equal(reply.write(PART), true);
    reply.end();
    await once(reply, 'finish');
    assert.equal(client.listenerCount('error'), 0);
  });

  test('parts that callbacks take are read; so are those that call() passes over', async (t) => {
    const { client } = await peersFor(t, 'tcp').trio(async (data, reply) => {
      for (let i = 0; i < 200; i += 1) if (!reply.write(PART)) await once(reply, 'drain');
      reply.end('end');
    });
    const { partials, final } = await ask(client, 1);
    assert.equal(partials.length, 200);
    assert.deepEqual(final, [null, 'end']);
    assert.equal(await client.call(SERVICE, 1), 'end');
  });

  test('parts of many small and wide characters are counted alike at both ends', async (t) => {
    const { client } = await peersFor(t, 'tcp').trio(async (data, reply) => {
      for (let i = 0; i < 20_000; i += 1) if (!reply.write(`é€😀${i}`)) await once(reply, 'drain');
      reply.end('end');
    });
    const got = [];
    for await (const part of client.requestStream(SERVICE, 1)) {
      got.push(part);
      if (got.length % 1000 === 0) await turn();
    }
    assert.equal(got.length, 20_001);
    assert.equal(got[19_999], 'é€😀19999');
  });

  test('long strings that JSON escapes are too', async (t) => {
    const { reply, stream } = await unread(t);
    const part = `"${'"\n€'.repeat(2000)}`;
    const write = async () => {
      for (let i = 0; i < 500; i += 1) if (!reply.write(part)) await once(reply, 'drain');
      reply.end('end');
    };
    const written = write();
    const got = await collect(stream);
    await written;
    assert.equal(got.length, 501);
    assert.ok(got.slice(0, -1).every((each) => each === part));
  });

  test('a part of 20 windows passes, and the next one after it', async (t) => {
    const { reply, stream } = await unread(t);
    const huge = Buffer.alloc(20 * WINDOW, 3);
    assert.equal(reply.write(huge), true);
    assert.equal(reply.write(huge), false);
    reply.end(huge);
    const got = await collect(stream);
    assert.deepEqual(
      got.map((part) => part.equals(huge)),
      [true, true, true],
    );
  });

  test('a paused stream stands, a resumed one goes on', async (t) => {
    const { reply, stream } = await unread(t);
    let bytes = 0;
    stream.on('data', (part) => {
      bytes += part.length;
    });
    stream.pause();
    while (reply.write(PART));
    assert.equal(bytes, 0);
    stream.resume();
    await once(reply, 'drain');
    reply.end(PART);
    await once(stream, 'end');
    assert.equal(bytes % PART.length, 0);
    assert.ok(bytes > WINDOW);
  });
});

describe('a broker of 0.0.92', () => {
  const PART = 'x'.repeat(10_000);
  const COUNT = 5000;

  let written = 0;
  const writer = async (data, reply) => {
    for (written = 0; written < COUNT; written += 1) {
      if (!reply.write(`${written} ${PART}`)) await once(reply, 'drain');
    }
    reply.end('end');
  };

  test('passes streams of any length', async (t) => {
    const peers = peersFor(t, 'tcp');
    const broker = await OldBroker.start(t, peers.endpoint);
    const worker = peers.worker(writer);
    const client = peers.client();
    await start(worker, client);
    const { partials, final } = await ask(client, 1);
    assert.equal(partials.length, COUNT);
    assert.deepEqual(final, [null, 'end']);
    assert.ok(!broker.log.some(([, , command]) => command === '10'));
  });

  test('that takes nothing has write() turn false', async (t) => {
    const peers = peersFor(t, 'tcp');
    const router = await rawRouter(t, peers.endpoint, { receiveHighWaterMark: 2 });
    const worker = peers.worker(writer, { heartbeat: 20_000 });
    await worker.start();
    const [from] = await router.receive();
    await router.send([from, 'W', '2', 'client', 'r1', '1']);
    await until(() => written > 0);
    await standstill(() => written);
    assert.ok(written < COUNT, 'it waits');
    let parts = 0;
    for (;;) {
      const [, , command, , , , data] = (await router.receive()).map(String);
      if (command === '3') break;
      if (command !== '6') continue;
      assert.ok(data.startsWith(`"${parts} `), `part ${parts}`);
      parts += 1;
    }
    assert.equal(parts, COUNT);
  });
});

test('a worker and a client of several brokers give and get credit at each', async (t) => {
  const peers = peersFor(t, 'tcp');
  const endpoints = [peers.endpoint, freshEndpoint('tcp')];
  await start(...endpoints.map((endpoint) => peers.broker(undefined, endpoint)));
  peers.endpoint = endpoints;
  let waits = 0;
  const worker = peers.worker(
    async (data, reply) => {
      for (let i = 0; i < 500; i += 1) {
        if (reply.write(Buffer.alloc(10_000))) continue;
        waits += 1;
        await once(reply, 'drain');
      }
      reply.end('end');
    },
    { concurrency: 4 },
  );
  const client = peers.client();
  await start(worker, client);
  const asked = Array.from({ length: 4 }, () => ask(client, 1));
  for (const { partials, final } of await Promise.all(asked)) {
    assert.equal(partials.length, 500);
    assert.deepEqual(final, [null, 'end']);
  }
  assert.ok(waits > 0);
});

test('a file of 100 MB that is piped into a reply arrives whole', async (t) => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-file-')), 'data');
  t.after(() => fs.rmSync(path.dirname(file), { recursive: true, force: true }));
  const sent = createHash('sha256');
  for (let i = 0; i < 100; i += 1) {
    const block = randomBytes(MIB);
    sent.update(block);
    fs.appendFileSync(file, block);
  }
  const { client } = await peersFor(t, 'tcp').trio((data, reply) => fs.createReadStream(file).pipe(reply));
  const got = createHash('sha256');
  let bytes = 0;
  for await (const part of client.requestStream(SERVICE, 1)) {
    if (part === null) continue;
    got.update(part);
    bytes += part.length;
  }
  assert.equal(bytes, 100 * MIB);
  assert.equal(got.digest('hex'), sent.digest('hex'));
});
