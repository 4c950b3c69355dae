'use strict';
// What is wrong is said at once, at the caller: a TypeError for the wrong type, a RangeError for the wrong value, with
// the name of what is wrong and what was given. Here of what methods are called with.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Client, Worker } = require('../..');
const { NO_NUMBERS, NO_OBJECTS, NO_STRINGS, assertRejects, assertThrows } = require('../support/bad-input');
const { SERVICE, peersFor } = require('../support/peers');

const ENDPOINT = 'inproc://nobody';

describe('service', () => {
  const client = new Client(ENDPOINT);
  const WITH = {
    'new Worker()': (service) => new Worker(ENDPOINT, service),
    'request()': (service) => client.request(service, 1),
    'requestStream()': (service) => client.requestStream(service, 1),
  };
  for (const [name, act] of Object.entries(WITH)) {
    test(`of ${name} must be a string of 1 to 255 bytes`, () => {
      for (const [value, ...words] of NO_STRINGS)
        assertThrows(() => act(value), TypeError, 'service', ...words);
      assertThrows(() => act(undefined), TypeError, 'service', 'undefined');
      assertThrows(() => act(''), RangeError, 'service', '""');
      assertThrows(() => act('é'.repeat(128)), RangeError, 'service', '255 bytes', 'éé');
      assertThrows(() => act('lone \ud800'), RangeError, 'service', 'lone');
    });
  }

  test('of call() rejects', async () => {
    await assertRejects(client.call(7, 1), TypeError, 'service', '7');
    await assertRejects(client.call('', 1), RangeError, 'service', '""');
    await assertRejects(client.call(), TypeError, 'service', 'undefined');
  });
});

describe('callbacks', () => {
  const NO_FUNCTIONS = [
    ['text', '"text"'],
    [7, '7'],
    [true, 'true'],
    [{}, 'an object'],
    [[], 'array'],
  ];

  test('of start() and stop() must be functions', async (t) => {
    for (const peer of [peersFor(t).broker(), peersFor(t).worker(), peersFor(t).client()]) {
      for (const [value, ...words] of NO_FUNCTIONS) {
        assertThrows(() => peer.start(value), TypeError, 'callback', ...words);
        assertThrows(() => peer.stop({}, value), TypeError, 'callback', ...words);
      }
    }
  });

  test('of request() must be functions, and nothing is sent otherwise', async (t) => {
    const seen = [];
    const { client } = await peersFor(t).trio((data, reply) => {
      seen.push(data);
      reply.end();
    });
    for (const [value, ...words] of NO_FUNCTIONS) {
      // An object alone in this place is the options.
      if (words[0] !== 'an object')
        assertThrows(() => client.request(SERVICE, 'bad', value), TypeError, 'partialCb', ...words);
      assertThrows(() => client.request(SERVICE, 'bad', null, value), TypeError, 'finalCb', ...words);
    }
    await client.call(SERVICE, 'good');
    assert.deepEqual(seen, ['good']);
  });
});

describe('options of a request', () => {
  const client = new Client(ENDPOINT);
  const WITH = {
    'request()': (opts) => client.request(SERVICE, 1, null, null, opts),
    'requestStream()': (opts) => client.requestStream(SERVICE, 1, opts),
  };
  for (const [name, act] of Object.entries(WITH)) {
    test(`of ${name} must be an object`, () => {
      for (const [value, ...words] of NO_OBJECTS) assertThrows(() => act(value), TypeError, 'opts', ...words);
    });

    test(`of ${name}: an unknown one is named`, () => {
      for (const key of ['timeOut', 'Timeout', '__proto__', 'constructor', '']) {
        const opts = JSON.parse(`{${JSON.stringify(key)}:1}`);
        assertThrows(() => act(opts), TypeError, 'unknown option', JSON.stringify(key), 'timeout');
      }
    });

    test(`of ${name}: timeout must be a number in its range`, () => {
      for (const [value, ...words] of NO_NUMBERS.filter(([each]) => each !== null)) {
        assertThrows(() => act({ timeout: value }), TypeError, 'option "timeout"', ...words);
      }
      for (const value of [-2, -0.5, Number.NaN, Infinity, 2 ** 31]) {
        assertThrows(() => act({ timeout: value }), RangeError, 'option "timeout"', String(value));
      }
    });

    test(`of ${name}: signal must be an AbortSignal`, () => {
      for (const value of ['text', 7, {}, new AbortController(), () => 1]) {
        assertThrows(() => act({ signal: value }), TypeError, 'option "signal"', 'AbortSignal');
      }
    });

    test(`of ${name}: retry must be an integer up to 255, failFast a boolean`, () => {
      // An object is a policy.
      const wrong = NO_NUMBERS.filter(([each, words]) => each !== null && words !== 'an object');
      for (const [value, ...words] of wrong) {
        assertThrows(() => act({ retry: value }), TypeError, 'option "retry"', ...words);
      }
      for (const value of [-1, 0.5, 256, Number.NaN, Infinity]) {
        assertThrows(() => act({ retry: value }), RangeError, 'option "retry"', '0 to 255', String(value));
      }
      for (const value of ['true', 1, 0, {}, () => 1]) {
        assertThrows(() => act({ failFast: value }), TypeError, 'option "failFast"', 'a boolean');
      }
      for (const [retry, failFast] of [
        [0, false],
        [255, true],
        [null, null],
        [undefined, undefined],
      ])
        act({ retry, failFast });
    });

    test(`of ${name}: headers must be a plain object of strings, numbers and booleans`, () => {
      for (const value of ['text', 7, [], new Map(), new Headers(), () => 1]) {
        assertThrows(() => act({ headers: value }), TypeError, 'option "headers"', 'a plain object');
      }
      for (const value of [null, {}, [], 1n, Number.NaN, Infinity, Symbol('s'), () => 1]) {
        assertThrows(() => act({ headers: { mine: value } }), TypeError, 'option "headers"', '"mine"');
      }
    });
  }

  test('of call() reject', async () => {
    await assertRejects(client.call(SERVICE, 1, 7), TypeError, 'opts', '7');
    await assertRejects(client.call(SERVICE, 1, { timeout: '1' }), TypeError, 'option "timeout"', '"1"');
    await assertRejects(client.call(SERVICE, 1, { timeout: -5 }), RangeError, 'option "timeout"', '-5');
    await assertRejects(client.call(SERVICE, 1, { nope: 1 }), TypeError, 'unknown option "nope"');
  });
});

describe('options of stop()', () => {
  test('must be an object, with a timeout in its range and nothing else', async (t) => {
    const worker = peersFor(t).worker();
    for (const [value, ...words] of NO_OBJECTS.filter(([each]) => typeof each !== 'function')) {
      assertThrows(() => worker.stop(value), TypeError, 'options', ...words);
    }
    assertThrows(() => worker.stop({ timeOut: 1 }), TypeError, 'unknown option "timeOut"', 'timeout');
    for (const [value, ...words] of NO_NUMBERS) {
      assertThrows(() => worker.stop({ timeout: value }), TypeError, 'option "timeout"', ...words);
    }
    for (const value of [-2, Number.NaN, Infinity, 2 ** 31]) {
      assertThrows(() => worker.stop({ timeout: value }), RangeError, 'option "timeout"', String(value));
    }
    for (const options of [undefined, null, {}, { timeout: undefined }, { timeout: 0 }, { timeout: -1 }]) {
      await worker.stop(options);
    }
  });
});

test('heartbeat() of a client takes a request id or nothing', () => {
  const client = new Client(ENDPOINT);
  for (const value of [{}, [], true, 1n, Symbol('s'), () => 1]) {
    assertThrows(() => client.heartbeat(value), TypeError, 'rid');
  }
  for (const value of ['1', 1, undefined, null, 'no number', '']) client.heartbeat(value);
});
