'use strict';
// What is wrong is said at once, at the caller: a TypeError for the wrong type, a RangeError for the wrong value, with
// the name of what is wrong and what was given.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { SERVICE, peersFor } = require('./support/peers');
const { Broker, Client, Worker } = require('..');

const ENDPOINT = 'inproc://nobody';

const MAKE = {
  Broker: (conf) => new Broker(ENDPOINT, conf),
  Worker: (conf) => new Worker(ENDPOINT, SERVICE, conf),
  Client: (conf) => new Client(ENDPOINT, conf),
};

/** Asserts that it throws such an Error, whose message has all of these words. */
function assertThrows(act, Class, ...words) {
  assert.throws(act, (error) => {
    assert.equal(error.constructor, Class, error.message);
    for (const word of words) assert.ok(error.message.includes(word), `no ${word} in: ${error.message}`);
    return true;
  });
}

async function assertRejects(promise, Class, ...words) {
  const error = await promise.then(
    () => assert.fail('it did not reject'),
    (reason) => reason,
  );
  assertThrows(
    () => {
      throw error;
    },
    Class,
    ...words,
  );
}

/** Of no use where a number is wanted, and how each is told. */
const NO_NUMBERS = [
  ['100', '"100"', 'string'],
  [true, 'true', 'boolean'],
  [10n, '10n', 'bigint'],
  [Symbol('s'), 'Symbol(s)', 'symbol'],
  [null, 'null'],
  [{}, 'an object'],
  [[], 'an empty array'],
  [() => 1, 'a function'],
  [new Date(0), 'Date'],
];

const NO_STRINGS = [
  [1, '1', 'number'],
  [true, 'true'],
  [null, 'null'],
  [{}, 'an object'],
  [Buffer.from('text'), 'Buffer'],
  [Symbol('s'), 'Symbol(s)'],
];

const NO_OBJECTS = [
  ['text', '"text"'],
  [7, '7'],
  [true, 'true'],
  [[], 'array'],
  [() => 1, 'a function'],
];

describe('endpoint', () => {
  const WITH = {
    Broker: (endpoint) => new Broker(endpoint),
    Worker: (endpoint) => new Worker(endpoint, SERVICE),
    Client: (endpoint) => new Client(endpoint),
  };
  for (const [role, make] of Object.entries(WITH)) {
    test(`of a ${role} must be a non-empty string`, () => {
      for (const [value, ...words] of NO_STRINGS)
        assertThrows(() => make(value), TypeError, 'endpoint', ...words);
      assertThrows(() => make(undefined), TypeError, 'endpoint', 'undefined');
      assertThrows(() => make(''), TypeError, 'endpoint', '""');
    });

    test(`of a ${role} must not contain NUL, nor be an empty array, nor hold what is no endpoint`, () => {
      assertThrows(() => make('tcp://127.0.0.1:1\0'), RangeError, 'endpoint', 'NUL');
      assertThrows(() => make([]), RangeError, 'endpoint', 'an empty array');
      assertThrows(() => make([7]), TypeError, 'endpoint[0]', '7');
      assertThrows(() => make([ENDPOINT, '']), TypeError, 'endpoint[1]', '""');
    });
  }
});

describe('service', () => {
  const client = new Client(ENDPOINT);
  const WITH = {
    'new Worker()': (service) => new Worker(ENDPOINT, service),
    'request()': (service) => client.request(service, 1),
    'requestStream()': (service) => client.requestStream(service, 1),
  };
  for (const [name, act] of Object.entries(WITH)) {
    test(`of ${name} must be a string of 1 to 65535 bytes`, () => {
      for (const [value, ...words] of NO_STRINGS)
        assertThrows(() => act(value), TypeError, 'service', ...words);
      assertThrows(() => act(undefined), TypeError, 'service', 'undefined');
      assertThrows(() => act(''), RangeError, 'service', '""');
      assertThrows(() => act('é'.repeat(32_768)), RangeError, 'service', '65535 bytes', 'éé');
      assertThrows(() => act('lone \ud800'), RangeError, 'service', 'lone');
    });
  }

  test('of call() rejects', async () => {
    await assertRejects(client.call(7, 1), TypeError, 'service', '7');
    await assertRejects(client.call('', 1), RangeError, 'service', '""');
    await assertRejects(client.call(), TypeError, 'service', 'undefined');
  });
});

describe('conf', () => {
  for (const [role, make] of Object.entries(MAKE)) {
    test(`of a ${role} must be an object, where it is given`, () => {
      for (const [value, ...words] of NO_OBJECTS)
        assertThrows(() => make(value), TypeError, 'conf', ...words);
      for (const nothing of [undefined, null, {}]) make(nothing);
    });

    test(`of a ${role} names an option that is unknown`, () => {
      for (const key of [
        'heartbeats',
        'Heartbeat',
        'timeOut',
        '__proto__',
        'constructor',
        'toString',
        '',
        '0',
      ]) {
        const conf = JSON.parse(`{${JSON.stringify(key)}:1}`);
        assertThrows(() => make(conf), TypeError, 'unknown option', JSON.stringify(key), 'heartbeat');
      }
    });

    test(`of a ${role}: what is undefined is as if it were not there`, () => {
      const peer = make({ heartbeat: undefined, liveness: undefined, name: undefined, debug: undefined });
      assert.match(peer.name, /^[BWC]/);
    });
  }

  const NUMBERS = {
    heartbeat: {
      roles: ['Broker', 'Worker', 'Client'],
      bad: [0, -1, -100, Number.NaN, Infinity, 2 ** 31],
      good: [1, 0.5, 2 ** 31 - 1],
    },
    liveness: {
      roles: ['Broker', 'Worker', 'Client'],
      bad: [0, -1, 1.5, Number.NaN, 1001],
      good: [1, 3, 1000],
    },
    reconnect: { roles: ['Worker'], bad: [0, -1, Number.NaN, -Infinity, 2 ** 31], good: [1, 0.1, 100] },
    concurrency: { roles: ['Worker'], bad: [0, -2, 1.5, Number.NaN, Infinity, 2 ** 31], good: [1, -1, 100] },
    maxPeerBytes: {
      roles: ['Broker'],
      bad: [0, -1, 65_535, 65_536.5, Number.NaN, Infinity],
      good: [65_536, 2 ** 40],
    },
    maxBlocked: { roles: ['Worker'], bad: [0, -2, Number.NaN, 2 ** 31], good: [1, -1, 0.5] },
    ...Object.fromEntries(
      ['maxQueue', 'maxQueueBytes', 'maxTotalQueue', 'maxTotalQueueBytes'].map((option) => [
        option,
        { roles: ['Broker'], bad: [-2, 0.5, Number.NaN, Infinity, 2 ** 53], good: [0, -1, 1, 2 ** 40] },
      ]),
    ),
    timeout: {
      roles: ['Client'],
      bad: [0, -2, -0.5, Number.NaN, Infinity, 2 ** 31],
      good: [1, -1, 0.5, 60_000],
    },
  };
  for (const [option, { roles, bad, good }] of Object.entries(NUMBERS)) {
    for (const role of roles) {
      test(`${option} of a ${role} must be a number in its range`, () => {
        const name = `option "${option}"`;
        for (const [value, ...words] of NO_NUMBERS) {
          assertThrows(() => MAKE[role]({ [option]: value }), TypeError, name, ...words);
        }
        for (const value of bad) {
          assertThrows(() => MAKE[role]({ [option]: value }), RangeError, name, String(value), 'number');
        }
        for (const value of good) MAKE[role]({ [option]: value });
      });
    }
  }

  test('an option of another role is unknown', () => {
    assertThrows(() => MAKE.Broker({ timeout: 1 }), TypeError, 'unknown option "timeout"');
    assertThrows(() => MAKE.Broker({ concurrency: 1 }), TypeError, 'unknown option "concurrency"');
    assertThrows(() => MAKE.Client({ reconnect: 1 }), TypeError, 'unknown option "reconnect"');
    assertThrows(() => MAKE.Worker({ timeout: 1 }), TypeError, 'unknown option "timeout"');
  });

  test('debug, which 0.0.92 had, is taken whatever it is', () => {
    for (const make of Object.values(MAKE)) for (const debug of [true, 1, 'yes', null]) make({ debug });
  });

  for (const [role, make] of Object.entries(MAKE)) {
    test(`name of a ${role} must be a string of 1 to 255 bytes that does not begin with NUL`, () => {
      for (const [value, ...words] of NO_STRINGS)
        assertThrows(() => make({ name: value }), TypeError, 'option "name"', ...words);
      for (const value of ['', '\0x', 'x'.repeat(256), 'é'.repeat(128), '\ud800']) {
        assertThrows(() => make({ name: value }), RangeError, 'option "name"', '255 bytes');
      }
      for (const value of ['x', 'x'.repeat(255), 'é'.repeat(127), '😀', 'a\0b', ' ']) {
        assert.equal(make({ name: value }).name, value);
      }
    });
  }

  test('what was given is told in short, whatever it is', () => {
    const longText = 'x'.repeat(100_000);
    const trap = new Proxy(
      {},
      {
        get() {
          throw new Error('trap');
        },
      },
    );
    for (const value of [
      longText,
      BigInt(`1${'0'.repeat(5000)}`),
      Symbol(longText),
      trap,
      Object.create(null),
    ]) {
      assert.throws(
        () => MAKE.Client({ heartbeat: value }),
        (error) => error instanceof TypeError && error.message.length < 300,
      );
    }
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
      for (const [value, ...words] of NO_NUMBERS.filter(([each]) => each !== null)) {
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

test('concurrency, set on a worker, is checked as in conf', (t) => {
  const worker = peersFor(t).worker(undefined, { concurrency: 5 });
  const set = (value) => () => {
    worker.concurrency = value;
  };
  for (const [value, ...words] of NO_NUMBERS)
    assertThrows(set(value), TypeError, 'option "concurrency"', ...words);
  for (const value of [0, -2, 1.5, Number.NaN])
    assertThrows(set(value), RangeError, 'option "concurrency"', String(value));
  assert.equal(worker.concurrency, 5);
});

test('heartbeat() of a client takes a request id or nothing', () => {
  const client = new Client(ENDPOINT);
  for (const value of [{}, [], true, 1n, Symbol('s'), () => 1]) {
    assertThrows(() => client.heartbeat(value), TypeError, 'rid');
  }
  for (const value of ['1', 1, undefined, null, 'no number', '']) client.heartbeat(value);
});

test('the classes want new', () => {
  for (const Class of [Broker, Worker, Client]) assert.throws(() => Class(ENDPOINT), TypeError);
});

test('a conf that is changed later does not matter', async (t) => {
  const peers = peersFor(t);
  await peers.trio((data, reply, { timeout }) => reply.end(timeout));
  const conf = { timeout: 54_321, name: 'C-mine' };
  const client = peers.client(conf);
  conf.timeout = 12_345;
  conf.name = 'other';
  assert.equal(client.name, 'C-mine');
  await client.start();
  assert.equal(await client.call(SERVICE, 1), 54_321);
});

test('an array of endpoints that is changed later does not matter', async (t) => {
  const peers = peersFor(t);
  const endpoints = [peers.endpoint];
  const broker = peers.broker({}, endpoints);
  endpoints[0] = 'nonsense';
  await broker.start();
  assert.deepEqual(broker.endpoints, [peers.endpoint]);
});
