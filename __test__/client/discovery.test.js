'use strict';
// Brokers behind a name: its addresses, and its SRV records, as they change.
const assert = require('node:assert/strict');
const dgram = require('node:dgram');
const dns = require('node:dns');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { Broker, Client, Worker } = require('../..');
const { until } = require('../support/events');
const { SERVICE, echo } = require('../support/peers');

const NAME = 'tcp+srv://_omdp._tcp.brokers.example';

function stage(t) {
  const made = [];
  t.after(() => Promise.all(made.map((peer) => peer.stop({ timeout: 0 }))));
  const keep = (peer) => {
    made.push(peer);
    return peer;
  };
  return {
    broker: async (endpoint = 'tcp://127.0.0.1:*') => {
      const broker = keep(new Broker(endpoint));
      await broker.start();
      return { broker, endpoint: broker.endpoints[0], port: Number(broker.endpoints[0].split(':').at(-1)) };
    },
    client: (endpoint, conf) => keep(new Client(endpoint, conf)),
    worker: (endpoint, conf, handler = echo) => {
      const worker = keep(new Worker(endpoint, SERVICE, conf));
      worker.on('request', handler);
      return worker;
    },
  };
}

/** Waits until the peer has exactly these. */
async function endpointsAre(peer, wanted) {
  const sorted = (list) => [...list].sort().join();
  while (sorted(peer.endpoints) !== sorted(wanted)) await once(peer, 'endpoints');
}

const record = ({ port }, priority = 1) => ({ name: '127.0.0.1', port, priority, weight: 1 });

describe('SRV records', () => {
  test('are brokers, and followed as they change', async (t) => {
    const { broker, client, worker } = stage(t);
    const [a, b, spare] = [await broker(), await broker(), await broker()];
    let records = [record(a), record(spare, 2)];
    const conf = { discoverInterval: 20, resolveSrv: (_name, callback) => callback(null, records) };
    const c = client(NAME, conf);
    const w = worker(NAME, conf);
    assert.deepEqual(c.endpoints, []);
    // Made before anybody knows of a broker.
    const early = c.call(SERVICE, 0);
    await Promise.all([c.start(), w.start()]);
    assert.equal(await early, 0);
    assert.deepEqual(c.endpoints, [a.endpoint]);
    records = [record(a), record(b)];
    await Promise.all([c, w].map((peer) => endpointsAre(peer, [a.endpoint, b.endpoint])));
    await until(async () => (await b.broker.stats()).workers.length === 1);
    for (let i = 0; i < 8; i += 1) assert.equal(await c.call(SERVICE, i), i);
    records = [record(b)];
    await Promise.all([c, w].map((peer) => endpointsAre(peer, [b.endpoint])));
    await until(async () => (await a.broker.stats()).workers.length === 0);
    assert.equal(await c.call(SERVICE, 9), 9);
    assert.equal((await spare.broker.stats()).workers.length, 0);
  });

  test('are asked of a DNS server', async (t) => {
    const { broker, client, worker } = stage(t);
    const { port, endpoint } = await broker();
    const server = dgram.createSocket('udp4');
    t.after(() => server.close());
    server.on('message', (question, { port: to, address }) => {
      server.send(srvAnswer(question, port), to, address);
    });
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    const resolver = new dns.promises.Resolver();
    resolver.setServers([`127.0.0.1:${server.address().port}`]);
    const conf = { resolveSrv: resolver.resolveSrv.bind(resolver) };
    const c = client(NAME, conf);
    const w = worker(NAME, conf);
    await Promise.all([c.start(), w.start()]);
    assert.equal(await c.call(SERVICE, 1), 1);
    assert.deepEqual(c.endpoints, [endpoint.replace('127.0.0.1', 'localhost')]);
  });
});

/** The answer of a DNS server: one SRV record, whose target is localhost. */
function srvAnswer(question, port) {
  const header = Buffer.from(question.subarray(0, 12));
  header.writeUInt16BE(0x8180, 2);
  header.writeUInt16BE(1, 6);
  header.writeUInt16BE(0, 10);
  let end = 12;
  while (question[end] !== 0) end += question[end] + 1;
  const asked = question.subarray(12, end + 5);
  const target = Buffer.concat([Buffer.from([9]), Buffer.from('localhost'), Buffer.from([0])]);
  const answer = Buffer.alloc(18);
  answer.writeUInt16BE(0xc00c, 0);
  answer.writeUInt16BE(33, 2);
  answer.writeUInt16BE(1, 4);
  answer.writeUInt32BE(60, 6);
  answer.writeUInt16BE(6 + target.length, 10);
  answer.writeUInt16BE(1, 12);
  answer.writeUInt16BE(1, 14);
  answer.writeUInt16BE(port, 16);
  return Buffer.concat([header, asked, answer, target]);
}

describe('discover: all', () => {
  const skip = process.platform !== 'linux' && 'only Linux has all of 127.0.0.0/8';

  test('every address of a name is a broker, as they change', { skip }, async (t) => {
    const { broker, client, worker } = stage(t);
    const a = await broker();
    const b = await broker(`tcp://127.0.0.2:${a.port}`);
    let found = ['127.0.0.1'];
    const asked = [];
    const lookup = (host, options, callback) => {
      asked.push([host, options]);
      callback(null, [...found.map((address) => ({ address, family: 4 })), { address: '::1', family: 6 }]);
    };
    const conf = { discover: 'all', discoverInterval: 20, lookup };
    const name = `tcp://brokers.example:${a.port}`;
    const c = client(name, conf);
    const w = worker(name, conf);
    await Promise.all([c.start(), w.start()]);
    assert.equal(await c.call(SERVICE, 0), 0);
    assert.deepEqual(asked[0], ['brokers.example', { all: true }]);
    found = ['127.0.0.1', '127.0.0.2'];
    await Promise.all([c, w].map((peer) => endpointsAre(peer, [a.endpoint, b.endpoint])));
    await until(async () => (await b.broker.stats()).workers.length === 1);
    found = ['127.0.0.2'];
    await Promise.all([c, w].map((peer) => endpointsAre(peer, [b.endpoint])));
    assert.equal(await c.call(SERVICE, 1), 1);
  });

  test('one whose connection fails is looked up again at once', { skip }, async (t) => {
    const { broker, client, worker } = stage(t);
    const a = await broker();
    const b = await broker(`tcp://127.0.0.2:${a.port}`);
    let found = '127.0.0.1';
    const conf = { discover: 'all', lookup: async () => [{ address: found, family: 4 }] };
    const name = `tcp://brokers.example:${a.port}`;
    const c = client(name, conf);
    const w = worker(name, conf);
    await Promise.all([c.start(), w.start()]);
    assert.equal(await c.call(SERVICE, 0), 0);
    found = '127.0.0.2';
    await a.broker.stop();
    // The interval is half a minute.
    await Promise.all([c, w].map((peer) => endpointsAre(peer, [b.endpoint])));
    assert.equal(await c.call(SERVICE, 1), 1);
  });

  test('the answers of a lookup may be texts, as those of dns.resolve4()', async (t) => {
    const { broker, client, worker } = stage(t);
    const { endpoint, port } = await broker();
    for (const found of [['127.0.0.1'], ['127.0.0.1', '::1'], [{ address: '127.0.0.1' }], '127.0.0.1']) {
      const c = client(`tcp://brokers.example:${port}`, { discover: 'all', lookup: async () => found });
      const w = worker(`tcp://brokers.example:${port}`, {
        discover: 'all',
        lookup: () => Promise.resolve(found),
      });
      await Promise.all([c.start(), w.start()]);
      assert.equal(await c.call(SERVICE, 1), 1);
      assert.deepEqual(c.endpoints, [endpoint]);
      await Promise.all([c.stop(), w.stop()]);
    }
  });

  test('answers of another form are named', async (t) => {
    const { client } = stage(t);
    const reasonOf = async (endpoint, conf) => {
      const c = client(endpoint, conf);
      const unreachable = once(c, 'unreachable');
      await c.start();
      const [{ reason }] = await unreachable;
      await c.stop();
      return reason;
    };
    for (const [found, got] of [
      [[{ ip: '127.0.0.1' }], 'must return IP addresses, got an object'],
      [[null], 'must return IP addresses, got null'],
      [[1], 'must return IP addresses, got 1 (number)'],
      [['a.example'], 'must return IP addresses, got "a.example" (string)'],
      [undefined, 'must return an array, got undefined'],
    ]) {
      const reason = await reasonOf('tcp://a.example:5555', { discover: 'all', lookup: async () => found });
      assert.equal(reason, `cannot look up the brokers: the lookup of a.example ${got}`);
    }
    for (const [found, got] of [
      [[{}], 'must return records with name and port, got {}'],
      [
        [{ name: 'b.example', port: '1' }],
        'must return records with name and port, got {"name":"b.example","port":"1"}',
      ],
      [
        [{ name: 'b.example', port: 65536 }],
        'must return records with name and port, got {"name":"b.example","port":65536}',
      ],
      [['b.example:5555'], 'must return records with name and port, got "b.example:5555"'],
      [[undefined], 'must return records with name and port, got undefined'],
      [{}, 'must return an array, got an object'],
    ]) {
      const reason = await reasonOf('tcp+srv://a.example', { resolveSrv: async () => found });
      assert.equal(reason, `cannot look up the brokers: the lookup of a.example ${got}`);
    }
  });

  test("localhost by the system's own lookup", async (t) => {
    const { broker, client, worker } = stage(t);
    const { port } = await broker('tcp://*:*');
    const c = client(`tcp://localhost:${port}`, { discover: 'all' });
    const w = worker(`tcp://localhost:${port}`, { discover: 'all' });
    await Promise.all([c.start(), w.start()]);
    assert.equal(await c.call(SERVICE, 1), 1);
    assert.equal(c.endpoints.length, 1, 'one family of the two');
  });

  test('numbers, paths and names in this process are one broker each', () => {
    const list = ['tcp://127.0.0.1:1', 'tcp://[::1]:1', 'ipc:///tmp/x', 'inproc://x:1'];
    const lookup = () => assert.fail('nothing is looked up');
    assert.deepEqual(new Client(list, { discover: 'all', lookup }).endpoints, list);
  });

  test('a lookup that fails or finds nothing changes nothing, and is told', async (t) => {
    const { broker, client, worker } = stage(t);
    const a = await broker();
    const answers = [
      (callback) => callback(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })),
      (callback) => callback(null, []),
      (callback) => callback(null, 'nonsense', 4),
      () => {
        throw new Error('at once');
      },
      () => Promise.reject(new Error('later')),
    ];
    let round = 0;
    const fails = (_host, _options, callback) => answers[round++ % answers.length](callback);
    const works = (_host, _options, callback) => callback(null, '127.0.0.1', 4);
    let lookup = fails;
    const conf = { discover: 'all', discoverInterval: 5, lookup: (...args) => lookup(...args) };
    const name = `tcp://brokers.example:${a.port}`;
    const c = client(name, conf);
    const told = [];
    c.on('unreachable', (event) => told.push(event));
    await c.start();
    const early = c.call(SERVICE, 0);
    await until(() => told.length >= answers.length);
    assert.deepEqual(new Set(told.map(({ endpoint }) => endpoint)), new Set([name]));
    const reasons = told.map(({ reason }) => reason);
    for (const words of [
      'no such name',
      `the lookup of ${name} found no address`,
      'the lookup of brokers.example must return IP addresses, got "nonsense" (string)',
      'at once',
      'later',
    ]) {
      assert.ok(reasons.includes(`cannot look up the brokers: ${words}`), `${words}: ${reasons}`);
    }
    lookup = works;
    await worker(a.endpoint).start();
    assert.equal(await early, 0);
    lookup = fails;
    const { length } = told;
    await until(() => told.length > length + answers.length);
    assert.equal(await c.call(SERVICE, 1), 1);
    assert.deepEqual(c.endpoints, [a.endpoint]);
  });

  test('setEndpoints() takes names, too', async (t) => {
    const { broker, client, worker } = stage(t);
    const [a, b] = [await broker(), await broker()];
    const resolveSrv = (_name, callback) => callback(null, [record(b)]);
    const c = client(a.endpoint, { resolveSrv });
    await Promise.all([worker(a.endpoint).start(), c.start()]);
    assert.equal(await c.call(SERVICE, 0), 0);
    await worker(b.endpoint).start();
    c.setEndpoints([NAME]);
    await endpointsAre(c, [b.endpoint]);
    assert.equal(await c.call(SERVICE, 1), 1);
  });

  test('nothing is looked up before the start and after the stop, and a timer keeps no process', async (t) => {
    const { client } = stage(t);
    let looked = 0;
    const lookup = (_host, _options, callback) => {
      looked += 1;
      callback(null, '127.255.255.1', 4);
    };
    const c = client('tcp://brokers.example:5555', {
      discover: 'all',
      discoverInterval: 1,
      lookup,
    });
    assert.equal(looked, 0);
    await c.start();
    await until(() => looked > 3);
    await c.stop();
    const after = looked;
    // A timer of this loop that was left would be due before this one.
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.ok(looked <= after + 1, 'one may have been under way');
  });
});

test('options of discovery are checked', () => {
  const make = (conf) => () => new Client('tcp://a.example:1', conf);
  assert.throws(make({ discover: 'some' }), {
    message: 'option "discover" must be one of "one", "all", got "some" (string)',
  });
  assert.throws(make({ lookup: 1 }), { message: 'option "lookup" must be a function, got 1 (number)' });
  assert.throws(make({ resolveSrv: 'x' }), { message: /^option "resolveSrv" must be a function, got / });
  assert.throws(make({ discoverInterval: 0 }), {
    message: /^option "discoverInterval" must be a number from 1 to /,
  });
});
