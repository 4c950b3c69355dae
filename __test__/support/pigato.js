'use strict';
// Peers of PIGATO, played from the frames that its libraries for Node, Ruby and Go send and take.
const assert = require('node:assert/strict');
const { randomBytes, randomUUID } = require('node:crypto');
const { rawDealer, toText } = require('./raw');

const json = (value) => JSON.stringify(value);

/** How the clients of each library write a request: its id and its options. */
const LIBRARIES = {
  node: {
    rid: randomUUID,
    opts: (opts) => json({ ...opts, timeout: opts?.timeout ?? 60_000, retry: opts?.retry ?? 0 }),
  },
  ruby: { rid: randomUUID, opts: (opts) => json(opts ?? {}) },
  go: { rid: () => randomBytes(12).toString('hex'), opts: () => '' },
};

/** A client: what comes for it must be what its library takes without dying. */
class PigatoClient {
  #socket;
  #library;
  #outstanding = new Set();

  constructor(t, endpoint, { library = 'node', name = `C${randomUUID()}-${randomUUID()}` } = {}) {
    this.#socket = rawDealer(t, endpoint, name);
    this.#library = LIBRARIES[library];
  }

  send(...frames) {
    return this.#socket.send(frames);
  }

  async request(service, data, opts) {
    const rid = this.#library.rid();
    this.#outstanding.add(rid);
    // What Node makes of undefined.
    await this.send('C', '2', service, rid, String(json(data)), this.#library.opts(opts));
    return rid;
  }

  /** The next message but answers to heartbeats, as `{ rid, last, code, value, opts }`. */
  async next() {
    for (;;) {
      const frames = toText(await this.#socket.receive());
      const [header, command, delimiter, rid, code, data, opts] = frames;
      assert.equal(header, 'C', json(frames));
      if (command === '4' && frames.length === 2) continue;
      assert.ok(command === '3' || command === '6', json(frames));
      assert.ok(frames.length === 7 && delimiter === '', json(frames));
      assert.ok(code === '0' || (code === '-1' && command === '3'), json(frames));
      // It throws for a request that it does not know.
      assert.ok(this.#outstanding.has(rid), `no request: ${json(frames)}`);
      const value = JSON.parse(data);
      if (command === '3') this.#outstanding.delete(rid);
      // null would end its stream, and an error that is falsy would be a success.
      if (command === '6') assert.notEqual(value, null);
      if (code === '-1') assert.ok(value);
      return { rid, last: command === '3', code, value, opts: JSON.parse(opts) };
    }
  }

  async ask(service, data, opts) {
    await this.request(service, data, opts);
    const partials = [];
    for (;;) {
      const { last, code, value } = await this.next();
      if (last) return code === '0' ? { partials, final: value } : { partials, error: value };
      partials.push(value);
    }
  }

  /** Sends a heartbeat and awaits its answer. */
  async beat() {
    await this.send('C', '4');
    assert.deepEqual(toText(await this.#socket.receive()), ['C', '4']);
  }
}

/** A worker. `library: 'ruby'` leaves the options of replies out. */
class PigatoWorker {
  #socket;
  #service;
  #opts;

  constructor(t, endpoint, { service, library = 'node', name = `W${randomUUID()}-${randomUUID()}` }) {
    this.#socket = rawDealer(t, endpoint, name);
    this.#service = service;
    this.#opts = library === 'ruby' ? [] : ['{}'];
    this.name = name;
  }

  send(...frames) {
    return this.#socket.send(frames);
  }

  ready() {
    return this.send('W', '1', this.#service);
  }

  heartbeat(concurrency = 100) {
    return this.send('W', '4', '', json({ concurrency }));
  }

  async next() {
    const frames = toText(await this.#socket.receive());
    const [header, command] = frames;
    assert.equal(header, 'W', json(frames));
    const known =
      (command === '1' && frames.length === 2) ||
      (command === '2' && frames.length === 8) ||
      (command === '4' && (frames.length === 2 || (frames.length === 5 && frames[3] === ''))) ||
      (command === '5' && frames.length === 2);
    assert.ok(known, `not for a worker of PIGATO: ${json(frames)}`);
    return frames;
  }

  async nextOf(command, count) {
    for (;;) {
      const frames = await this.next();
      if (frames[1] === command && (count === undefined || frames.length === count)) return frames;
    }
  }

  /** The next request, read as PIGATO reads it. */
  async request() {
    const frames = await this.nextOf('2');
    const [, , client, service, delimiter, rid, data, opts] = frames;
    return { client, service, delimiter, rid, data: JSON.parse(data), opts: JSON.parse(opts) };
  }

  partial({ client, rid }, data) {
    return this.send('W', '6', client, '', rid, '0', String(json(data)), ...this.#opts);
  }

  final({ client, rid }, data) {
    return this.send('W', '3', client, '', rid, '0', String(json(data)), ...this.#opts);
  }

  error({ client, rid }, value) {
    return this.send('W', '3', client, '', rid, '-1', String(json(value)), ...this.#opts);
  }

  reject({ client, rid }, reason) {
    return this.send('W', '7', client, '', rid, '0', String(json(reason)), ...this.#opts);
  }
}

module.exports = { LIBRARIES, PigatoClient, PigatoWorker };
