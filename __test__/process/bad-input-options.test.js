'use strict';
// What is wrong is said at once, at the caller: a TypeError for the wrong type, a RangeError for the wrong value, with
// the name of what is wrong and what was given. Here of what peers are made with.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Broker, Client, Worker } = require('../..');
const { NO_NUMBERS, NO_OBJECTS, NO_STRINGS, assertThrows } = require('../support/bad-input');
const { SERVICE, peersFor } = require('../support/peers');

const ENDPOINT = 'inproc://nobody';

const MAKE = {
  Broker: (conf) => new Broker(ENDPOINT, conf),
  Worker: (conf) => new Worker(ENDPOINT, SERVICE, conf),
  Client: (conf) => new Client(ENDPOINT, conf),
};

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
    ...Object.fromEntries(
      ['reconnect', 'reconnectMax'].map((option) => [
        option,
        { roles: ['Worker', 'Client'], bad: [0, -1, Number.NaN, -Infinity, 2 ** 31], good: [1, 0.1, 100] },
      ]),
    ),
    reconnectGrace: { roles: ['Broker'], bad: [-1, Number.NaN, 2 ** 31], good: [0, 0.5, 1000] },
    concurrency: { roles: ['Worker'], bad: [0, -2, 1.5, Number.NaN, Infinity, 2 ** 31], good: [1, -1, 100] },
    maxMessageSize: {
      roles: ['Broker', 'Worker', 'Client'],
      bad: [0, -1, 65_535, 65_536.5, Number.NaN, Infinity],
      good: [65_536, 2 ** 40],
    },
    maxPeerBytes: {
      roles: ['Broker'],
      bad: [0, -1, 65_535, 65_536.5, Number.NaN, Infinity],
      good: [65_536, 2 ** 40],
    },
    maxBlocked: { roles: ['Worker'], bad: [0, -2, Number.NaN, 2 ** 31], good: [1, -1, 0.5] },
    maxRunning: { roles: ['Worker'], bad: [0, -2, Number.NaN, 2 ** 31], good: [1, -1, 0.5] },
    ...Object.fromEntries(
      [
        'maxQueue',
        'maxQueueBytes',
        'maxTotalQueue',
        'maxTotalQueueBytes',
        'maxHeld',
        'maxHeldPerUser',
        'maxHeldPerAddress',
        'maxHeldPerPeer',
      ].map((option) => [
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

  test("spin of a broker must be 'auto' or a number of microseconds", () => {
    for (const value of ['automatic', '', null, true, []]) {
      assertThrows(() => MAKE.Broker({ spin: value }), TypeError, 'option "spin"', "'auto' or a number");
    }
    for (const value of [-1, 0.5, 1_000_001, Number.NaN]) {
      assertThrows(() => MAKE.Broker({ spin: value }), RangeError, 'option "spin"', String(value));
    }
    for (const value of ['auto', 0, 200, 1_000_000]) MAKE.Broker({ spin: value });
  });

  test('an option of another role is unknown', () => {
    assertThrows(() => MAKE.Broker({ timeout: 1 }), TypeError, 'unknown option "timeout"');
    assertThrows(() => MAKE.Broker({ concurrency: 1 }), TypeError, 'unknown option "concurrency"');
    assertThrows(() => MAKE.Broker({ reconnect: 1 }), TypeError, 'unknown option "reconnect"');
    assertThrows(() => MAKE.Worker({ timeout: 1 }), TypeError, 'unknown option "timeout"');
  });

  test('an unknown option is told the nearest known one, if one is near', () => {
    const near = '; did you mean "concurrency"? The known ones are: heartbeat, ';
    assertThrows(() => MAKE.Worker({ concurency: 1 }), TypeError, `unknown option "concurency"${near}`);
    assertThrows(
      () => MAKE.Worker({ threads: 1 }),
      TypeError,
      'unknown option "threads"; the known ones are: heartbeat, ',
    );
    const policies = { services: { render: { balanc: 'random' } } };
    assertThrows(
      () => MAKE.Broker(policies),
      TypeError,
      '"balanc" of option "services"["render"]; did you mean "balance"?',
    );
  });

  test('a name that is too long is described by its length', () => {
    assertThrows(() => MAKE.Client({ name: 'n'.repeat(256) }), RangeError, 'option "name"', 'got 256 bytes');
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
