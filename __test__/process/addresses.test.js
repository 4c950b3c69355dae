'use strict';
// Names, families of addresses and socket files: where peers bind and connect, and what they say when they can't.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const { describe, test } = require('node:test');
const { Broker, Client, Worker } = require('../..');
const { until } = require('../support/events');
const { SERVICE, echo, peersFor } = require('../support/peers');

const POSIX = { skip: process.platform === 'win32' ? 'socket files are not looked after on Windows' : false };

const hasIpv6 = Object.values(require('node:os').networkInterfaces())
  .flat()
  .some(({ address }) => address === '::1');
const IPV6 = { skip: hasIpv6 ? false : 'this host has no IPv6' };

const [linkLocal] = Object.entries(require('node:os').networkInterfaces())
  .flatMap(([name, each]) => each.map(({ address, scopeid }) => ({ name, address, scopeid })))
  .filter(({ address }) => address.startsWith('fe80:'));
const LINK_LOCAL = { skip: linkLocal ? false : 'this host has no link-local address' };

const pathOf = (endpoint) => endpoint.slice('ipc://'.length);

describe('ipc', POSIX, () => {
  test('what is no socket is not removed by a bind', async (t) => {
    const { endpoint } = peersFor(t, 'ipc');
    fs.writeFileSync(pathOf(endpoint), 'precious');
    const broker = new Broker(endpoint);
    await assert.rejects(broker.start(), { code: 'EEXIST', message: /is not a socket/ });
    assert.equal(fs.readFileSync(pathOf(endpoint), 'utf8'), 'precious');
    fs.rmSync(pathOf(endpoint));
    fs.symlinkSync('/dev/null', pathOf(endpoint));
    await assert.rejects(broker.start(), { code: 'EEXIST' });
    assert.ok(fs.lstatSync(pathOf(endpoint)).isSymbolicLink());
  });

  test('the socket file is there while the broker runs, and is gone after stop()', async (t) => {
    const { endpoint } = peersFor(t, 'ipc');
    const broker = new Broker(endpoint);
    for (let life = 0; life < 2; life += 1) {
      await broker.start();
      assert.ok(fs.lstatSync(pathOf(endpoint)).isSocket());
      await broker.stop();
      assert.equal(fs.existsSync(pathOf(endpoint)), false);
    }
  });

  test('a file that another has put in its place stays', async (t) => {
    const { endpoint } = peersFor(t, 'ipc');
    const broker = new Broker(endpoint);
    await broker.start();
    fs.rmSync(pathOf(endpoint));
    fs.writeFileSync(pathOf(endpoint), 'other');
    await broker.stop();
    assert.equal(fs.readFileSync(pathOf(endpoint), 'utf8'), 'other');
  });

  test('a socket that nobody serves any more is replaced', async (t) => {
    const { endpoint } = peersFor(t, 'ipc');
    const server = net.createServer().listen(pathOf(endpoint));
    await once(server, 'listening');
    const broker = new Broker(endpoint);
    await assert.rejects(broker.start(), { code: 'EADDRINUSE' });
    // Node removes the file when a server is closed; a process that dies leaves it.
    fs.renameSync(pathOf(endpoint), `${pathOf(endpoint)}.old`);
    server.close();
    await once(server, 'close');
    if (fs.existsSync(`${pathOf(endpoint)}.old`)) fs.renameSync(`${pathOf(endpoint)}.old`, pathOf(endpoint));
    await broker.start();
    await broker.stop();
  });

  test('ipcMode is the mode of the file', async (t) => {
    const { endpoint } = peersFor(t, 'ipc');
    const broker = new Broker(endpoint, { ipcMode: 0o600 });
    await broker.start();
    assert.equal(fs.statSync(pathOf(endpoint)).mode & 0o777, 0o600);
    await broker.stop();
  });

  test('a path that is too long is an error that says so', async () => {
    const endpoint = `ipc:///tmp/${'p'.repeat(200)}`;
    for (const peer of [new Broker(endpoint), new Worker(endpoint, SERVICE), new Client(endpoint)]) {
      await assert.rejects(peer.start(), { code: 'ENAMETOOLONG', message: /at most 10[37]/ });
    }
  });
});

describe('tcp', () => {
  const portOf = (broker) => broker.endpoints[0].split(':').at(-1);

  async function answers(t, broker, host) {
    const endpoint = `tcp://${host}:${portOf(broker)}`;
    const worker = new Worker(endpoint, SERVICE);
    worker.on('request', echo);
    const client = new Client(endpoint);
    t.after(() => Promise.all([client.stop(), worker.stop({ timeout: 0 })]));
    await Promise.all([worker.start(), client.start()]);
    assert.equal(await client.call(SERVICE, host), host);
  }

  async function bound(t, endpoint) {
    const broker = new Broker(endpoint);
    t.after(() => broker.stop());
    await broker.start();
    return broker;
  }

  test('localhost finds a broker on 127.0.0.1', async (t) => {
    await answers(t, await bound(t, 'tcp://127.0.0.1:*'), 'localhost');
  });

  test('localhost finds a broker on ::1', IPV6, async (t) => {
    await answers(t, await bound(t, 'tcp://[::1]:*'), 'localhost');
  });

  for (const host of ['127.0.0.1', '[::1]', 'localhost']) {
    test(`a broker on * is reached as ${host}`, host.includes(':') ? IPV6 : {}, async (t) => {
      await answers(t, await bound(t, 'tcp://*:*'), host);
    });
  }

  for (const scope of process.platform === 'win32' ? ['scopeid'] : ['name', 'scopeid']) {
    test(`a link-local address has a scope: ${scope}`, LINK_LOCAL, async (t) => {
      const host = `[${linkLocal.address}%${linkLocal[scope]}]`;
      await answers(t, await bound(t, `tcp://${host}:*`), host);
    });
  }

  test('a link-local address that cannot be reached is an event', LINK_LOCAL, async (t) => {
    for (const [scope, code] of [
      [linkLocal.scopeid, 'ECONNREFUSED'],
      ['none0', 'ENOTFOUND'],
    ]) {
      const client = new Client(`tcp://[${linkLocal.address}%${scope}]:1`);
      t.after(() => client.stop());
      const told = once(client, 'unreachable');
      await client.start();
      client.request(SERVICE, 1).on('error', () => {});
      const [event] = await told;
      assert.equal(event.code, code, event.reason);
    }
  });

  test('a name that is not known holds up nobody, and is an event', async (t) => {
    const peers = peersFor(t, 'tcp');
    const lost = new Client('tcp://nobody.invalid:5555');
    t.after(() => lost.stop());
    const told = once(lost, 'unreachable');
    await lost.start();
    const { client } = await peers.trio(echo);
    assert.equal(await client.call(SERVICE, 1), 1);
    const [event] = await told;
    assert.equal(event.endpoint, 'tcp://nobody.invalid:5555');
    assert.equal(event.code, 'ENOTFOUND');
    assert.match(event.reason, /^cannot look up nobody\.invalid: (?!failed)/);
  });

  test('a refused port, a missing socket file, an unused abstract name and an unbound inproc name are events with the reason, and the broker is found later', async (t) => {
    // A client that nobody waits for keeps no process.
    const stay = setInterval(() => {}, 1000);
    t.after(() => clearInterval(stay));
    const cases = [
      [peersFor(t, 'tcp'), 'ECONNREFUSED'],
      [peersFor(t, 'ipc'), 'ENOENT'],
      [peersFor(t, 'inproc'), 'ECONNREFUSED'],
    ];
    if (process.platform === 'linux') {
      cases.push([peersFor(t, 'ipc', `ipc://@omdp-addresses-${process.pid}`), 'ECONNREFUSED']);
    }
    for (const [peers, code] of cases) {
      const client = peers.client();
      const told = once(client, 'unreachable');
      await client.start();
      const [event] = await told;
      assert.deepEqual([event.endpoint, event.code], [peers.endpoint, code]);
      // The system's words, without those of the standard library of Rust.
      assert.match(event.reason, /^cannot connect to [^ ]+: [\w ]+$/);
      await peers.broker().start();
      await until(async () => (await client.stats()).connected);
    }
  });
});
