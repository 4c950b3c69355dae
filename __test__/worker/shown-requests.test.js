'use strict';
// Requests that a worker's JavaScript is shown before it has room for them, and takes one by one.
const assert = require('node:assert/strict');
const { performance } = require('node:perf_hooks');
const { afterEach, beforeEach, describe, mock, test } = require('node:test');
const { Inbox } = require('../../lib/inbox');
const {
  DRAIN_FIELDS,
  DRAIN_HEADER,
  Flag,
  Kind,
  SLOT_TAKEN: TAKEN,
  SLOT_SHOWN: SHOWN,
} = require('../../lib/load');
const { SERVICE, peersFor } = require('../support/peers');

/** A native side that has these requests on offer, an inbox that takes them, and a worker that runs `limit` at once. */
function fake(offers, { limit = 1, shares = true, isCopied = false } = {}) {
  const slots = new Int32Array(64);
  const seen = { taken: [], asked: [], running: 0 };
  const waiting = [...offers];
  let shown = 0;
  const core = {
    slots() {
      slots[0] = SHOWN;
      return shares ? slots : null;
    },
    seesTake() {
      const seen = slots[0] === TAKEN && !isCopied;
      slots[0] = 0;
      return seen;
    },
    drain(into, room, ahead) {
      seen.asked.push(ahead);
      // What was taken of the last show is gone; what was taken back, too.
      waiting.splice(0, shown - waiting.slice(0, shown).filter((_, slot) => slots[slot] === SHOWN).length);
      slots.fill(0);
      const given = waiting.splice(0, room);
      shown = given.length === room ? Math.min(ahead, waiting.length) : 0;
      const batch = [...given, ...waiting.slice(0, shown)];
      batch.forEach(({ id, blob, text = '' }, at) => {
        const kind = blob ? Kind.Request | Flag.Blob : Kind.Request;
        into.set([kind, id, text.length, 0, 0, 0, 0, 1], DRAIN_HEADER + DRAIN_FIELDS * at);
      });
      slots.fill(SHOWN, 0, shown);
      core.blobs = batch.filter(({ blob }) => blob).map(({ blob }) => blob);
      into.set([batch.length, core.blobs.length, 0, given.length, shown]);
      return batch.map(({ text = '' }) => text).join('');
    },
    takeBlobs: () => core.blobs,
  };
  const outbox = { beginDrain() {}, endDrain() {}, flush() {}, touch() {} };
  const take = (_kind, id, a, _b, _c, text, at, blob) => {
    seen.taken.push([id, blob ?? text.slice(at, at + a)]);
    seen.running += 1;
    seen.handler(id);
  };
  seen.handler = () => {
    seen.running -= 1;
  };
  seen.slots = slots;
  seen.inbox = new Inbox(
    core,
    outbox,
    take,
    () => {},
    () => limit - seen.running,
    () => {},
  );
  return seen;
}

const requests = (count) => Array.from({ length: count }, (_, i) => ({ id: i + 1, text: `<${i + 1}>` }));
const texts = (count) => requests(count).map(({ id, text }) => [id, text]);

describe('the inbox', () => {
  // A turn that takes too long would go on in the next one.
  beforeEach(() => mock.method(performance, 'now', () => 0));
  afterEach(() => mock.restoreAll());

  test('is shown more and more while requests end as they begin, and takes each once and in order', () => {
    const seen = fake(requests(40));
    seen.inbox.wake();
    assert.deepEqual(seen.taken, texts(40));
    assert.deepEqual(seen.asked.slice(0, 4), [0, 4, 8, 16]);
  });

  test('is shown nothing while they end later', () => {
    const seen = fake(requests(9), { limit: 3 });
    seen.handler = () => {};
    seen.inbox.wake();
    assert.deepEqual(seen.taken, texts(3));
    assert.deepEqual(seen.asked, [0]);
  });

  test('takes nothing beyond its room, and is shown no more than it last took', () => {
    const seen = fake(requests(9));
    seen.handler = (id) => {
      if (id !== 3 && id !== 4) seen.running -= 1;
    };
    seen.inbox.wake();
    assert.deepEqual(seen.taken, texts(3));
    assert.deepEqual([...seen.slots.slice(0, 4)], [2, SHOWN, SHOWN, SHOWN]);
    seen.running = 0;
    seen.inbox.wake();
    assert.deepEqual(seen.taken, texts(4));
    assert.deepEqual(seen.asked, [0, 4, 1]);
  });

  test('passes over what was taken back, with its text and its blob', () => {
    const offers = requests(6);
    offers[2].blob = Buffer.from('three');
    offers[3].blob = Buffer.from('four');
    for (const offer of offers.slice(2, 4)) offer.text = '';
    const seen = fake(offers);
    seen.handler = (id) => {
      seen.running -= 1;
      if (id === 2) seen.slots[0] = 0;
    };
    seen.inbox.wake();
    assert.deepEqual(seen.taken, [...texts(2), [4, offers[3].blob], ...texts(6).slice(4)]);
  });

  test('goes on behind a callback that throws', () => {
    const seen = fake(requests(9));
    const thrown = [];
    const { nextTick } = process;
    process.nextTick = (callback) => thrown.push(callback);
    try {
      seen.handler = (id) => {
        seen.running -= 1;
        if (id === 4) throw new Error('four');
      };
      seen.inbox.wake();
    } finally {
      process.nextTick = nextTick;
    }
    assert.deepEqual(seen.taken, texts(9));
    assert.equal(thrown.length, 1);
    assert.throws(thrown[0], /four/);
  });

  test('takes each once when a callback brings it here again', () => {
    const seen = fake(requests(30));
    seen.handler = (id) => {
      seen.running -= 1;
      if (id === 5) seen.inbox.wake();
    };
    seen.inbox.wake();
    assert.deepEqual(seen.taken, texts(30));
  });

  test('is shown nothing where memory can not be shared', () => {
    const seen = fake(requests(9), { shares: false });
    seen.inbox.wake();
    assert.deepEqual(seen.taken, texts(9));
    assert.ok(seen.asked.every((ahead) => ahead === 0));
  });

  test('none are shown either where an exchange does not reach the native side', () => {
    const seen = fake(requests(9), { isCopied: true });
    seen.inbox.wake();
    assert.deepEqual(seen.taken, texts(9));
    assert.ok(seen.asked.every((ahead) => ahead === 0));
  });
});

for (const concurrency of [1, 3]) {
  test(`handlers that end at once and handlers that end later, in turns: concurrency ${concurrency}`, async (t) => {
    const seen = { running: 0, most: 0, started: new Set() };
    const end = (data, reply) => {
      seen.running -= 1;
      reply.end(data);
    };
    const handler = (data, reply) => {
      const n = typeof data === 'number' ? data : data[0] + 256 * data[1];
      assert.ok(!seen.started.has(n), `${n} starts twice`);
      seen.started.add(n);
      seen.running += 1;
      seen.most = Math.max(seen.most, seen.running);
      if (n % 97 < 5) setImmediate(end, data, reply);
      else end(data, reply);
    };
    const { client } = await peersFor(t, 'tcp').trio(handler, { worker: { concurrency } });
    for (let round = 0; round < 3; round += 1) {
      seen.started.clear();
      const sent = Array.from({ length: 3000 }, (_, n) => (n % 3 === 0 ? Buffer.from([n & 255, n >> 8]) : n));
      assert.deepEqual(await Promise.all(sent.map((data) => client.call(SERVICE, data))), sent);
      assert.equal(seen.started.size, 3000);
    }
    assert.ok(seen.most <= concurrency, `${seen.most} at once`);
    assert.equal(seen.running, 0);
  });
}
