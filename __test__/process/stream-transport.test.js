'use strict';
// Workers and clients without security speak ZMTP themselves over tcp and ipc. Here the other side is played byte by
// byte: it may be slow, break off anywhere, announce anything, and be of another version.
const assert = require('node:assert/strict');
const { once } = require('node:events');
const net = require('node:net');
const { test } = require('node:test');
const { REMOTE_TRANSPORTS, freshEndpoint } = require('../support/endpoints');
const { until } = require('../support/events');
const { SERVICE, peersFor } = require('../support/peers');
const { LONG, frame, greeting } = require('../support/zmtp');

const COMMAND = 4;

const property = (name, value) =>
  Buffer.concat([
    Buffer.from([name.length]),
    Buffer.from(name),
    Buffer.from([0, 0, 0, value.length]),
    Buffer.from(value),
  ]);
const READY = frame(COMMAND, Buffer.concat([Buffer.from('\x05READY'), property('Socket-Type', 'ROUTER')]));

/** Frames of ZMTP 3 after a greeting. */
function* framesOf(bytes) {
  let at = 64;
  while (at + 2 <= bytes.length) {
    const flags = bytes[at];
    if (flags & LONG && at + 9 > bytes.length) return;
    const [size, length] = flags & LONG ? [9, Number(bytes.readBigUInt64BE(at + 1))] : [2, bytes[at + 1]];
    if (at + size + length > bytes.length) return;
    yield { flags, body: bytes.subarray(at + size, at + size + length) };
    at += size + length;
  }
}

/** The other side of one connection. */
class Side {
  #pieces = [];

  constructor(socket) {
    this.socket = socket;
    this.closed = once(socket, 'close');
    socket.on('error', () => {});
    socket.on('data', (bytes) => this.#pieces.push(bytes));
  }

  get bytes() {
    this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0];
  }

  /** @returns {{ flags: number, body: Buffer }[]} */
  get frames() {
    return [...framesOf(this.bytes)];
  }

  /** Sends these bytes in pieces of this size, each of which the kernel passes on by itself. */
  async send(bytes, size = bytes.length) {
    for (let at = 0; at < bytes.length; at += size) {
      await new Promise((resolve) => this.socket.write(bytes.subarray(at, at + size), resolve));
      if (size < bytes.length) await new Promise(setImmediate);
    }
  }

  async handshake() {
    await this.send(Buffer.concat([greeting(), READY]));
    await until(() => this.frames.length > 0);
  }
}

/** A listener that plays a broker, and takes the connections in order. */
async function listen(t, transport = 'tcp') {
  const endpoint = freshEndpoint(transport);
  const sides = [];
  const server = net.createServer({ noDelay: true }, (socket) => sides.push(new Side(socket)));
  const { hostname, port } = transport === 'tcp' ? new URL(endpoint) : {};
  if (transport === 'tcp') server.listen(Number(port), hostname);
  else server.listen(endpoint.slice('ipc://'.length));
  await once(server, 'listening');
  t.after(() => {
    for (const { socket } of sides) socket.destroy();
    server.close();
  });
  const side = async (at) => {
    await until(() => sides.length > at);
    return sides[at];
  };
  return { endpoint, side };
}

for (const transport of REMOTE_TRANSPORTS) {
  test(`the handshake of a client over ${transport}, byte by byte`, async (t) => {
    const { endpoint, side } = await listen(t, transport);
    const client = peersFor(t, transport, endpoint).client();
    await client.start();
    const broker = await side(0);
    await broker.send(Buffer.concat([greeting(), READY, frame(COMMAND, '\x04PING\0\x0acontext')]), 1);
    await until(() => broker.frames.length > 1);
    const [ready] = broker.frames;
    assert.deepEqual(broker.bytes.subarray(0, 64), greeting());
    assert.equal(ready.flags, COMMAND);
    assert.ok(ready.body.includes(property('Socket-Type', 'DEALER')));
    await until(() => broker.frames.some(({ body }) => body.equals(Buffer.from('\x04PONGcontext'))));
  });
}

test('a request whose answer comes in pieces of any size', async (t) => {
  const peers = peersFor(t, 'tcp');
  const behind = await listen(t);
  await peers.trio();
  // The played side passes everything on to the real broker, in other pieces.
  const { hostname, port } = new URL(peers.endpoint);
  const client = peersFor(t, 'tcp', behind.endpoint).client();
  await client.start();
  const near = await behind.side(0);
  const far = net.connect({ host: hostname, port: Number(port), noDelay: true });
  t.after(() => far.destroy());
  far.write(near.bytes);
  near.socket.on('data', (bytes) => far.write(bytes));
  let size = 1;
  let last = Promise.resolve();
  far.on('data', (bytes) => {
    size = (size * 7) % 8191;
    last = last.then(() => near.send(bytes, Math.max(size, bytes.length >> 6)));
  });
  for (const length of [0, 1, 200, 255, 256, 5000, 8191, 8192, 32_768, 100_000, 1_000_000]) {
    const body = Buffer.alloc(length, `${length},`);
    assert.ok(body.equals(await client.call(SERVICE, body)), `${length} bytes`);
  }
});

test('what announces too much, or is nothing of ZMTP, ends the connection, and the next one is tried', async (t) => {
  const bad = {
    'a frame of 2^62 bytes': Buffer.from([LONG, 0x40, 0, 0, 0, 0, 0, 0, 0]),
    'a command of 1 MiB': Buffer.from([LONG | COMMAND, 0, 0, 0, 0, 0, 0x10, 0, 0]),
    'an unknown flag': Buffer.from([8, 0]),
    'the end within a frame': undefined,
  };
  const { endpoint, side } = await listen(t);
  const client = peersFor(t, 'tcp', endpoint).client();
  await client.start();
  for (const [at, [name, bytes]] of Object.entries(bad).entries()) {
    const broker = await side(at);
    await broker.handshake();
    if (bytes === undefined) broker.socket.end(Buffer.from([0, 200, 1, 2]));
    else await broker.send(bytes);
    await broker.closed;
    t.diagnostic(name);
  }
  await (await side(Object.keys(bad).length)).handshake();
});

test('what is no broker of ZMTP 3 is reported', async (t) => {
  const others = {
    'an HTTP server': Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
    'ZMTP 2.0': Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1, 6, 0, 0]),
    'no ROUTER': Buffer.concat([
      greeting(),
      frame(COMMAND, Buffer.concat([Buffer.from('\x05READY'), property('Socket-Type', 'PUB')])),
    ]),
    'an error': Buffer.concat([greeting(), frame(COMMAND, '\x05ERROR\x03400')]),
  };
  for (const [name, bytes] of Object.entries(others)) {
    const { endpoint, side } = await listen(t);
    const client = peersFor(t, 'tcp', endpoint).client();
    const refused = once(client, 'error');
    await client.start();
    await (await side(0)).send(bytes);
    const [error] = await refused;
    assert.match(error.message, /the handshake was not understood/, name);
  }
});

test('a broker that uses CURVE is reported', async (t) => {
  const { endpoint, side } = await listen(t);
  const client = peersFor(t, 'tcp', endpoint).client();
  const refused = once(client, 'error');
  await client.start();
  await (await side(0)).send(greeting('CURVE'));
  const [error] = await refused;
  assert.match(error.message, /another security mechanism/);
});

test('a peer that reads slowly gets everything in order', async (t) => {
  const { endpoint, side } = await listen(t);
  const client = peersFor(t, 'tcp', endpoint).client();
  await client.start();
  const broker = await side(0);
  await broker.handshake();
  broker.socket.pause();
  const bodies = Array.from({ length: 20 }, (_, i) => `body ${i},`.repeat(125_000));
  for (const body of bodies) client.request(SERVICE, body, { timeout: 60_000 }).on('error', () => {});
  // The client's thread has written what the connection takes when it answers.
  await client.stats();
  broker.socket.resume();
  await until(() => broker.frames.filter(({ body }) => body.length >= 500_000).length === bodies.length);
  const large = broker.frames.filter(({ body }) => body.length >= 500_000);
  for (const [i, { body }] of large.entries())
    assert.ok(body.equals(Buffer.from(JSON.stringify(bodies[i]))), `body ${i}`);
});
