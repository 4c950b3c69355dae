'use strict';
// Options of security: what is refused and how it is said; and that no secret is ever shown.
const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { inspect } = require('node:util');
const { Broker, Client, Worker, curveKeyPair, hashPassword } = require('../..');
const { peersFor } = require('../support/peers');
const { curveBroker, curvePeer, keys, next } = require('../support/security');

const TCP = 'tcp://127.0.0.1:1';
const server = keys();
const own = keys();
const PASSWORD = 'a password of 31 characters or so';

test('key pairs', () => {
  const pair = curveKeyPair();
  assert.deepEqual(Object.keys(pair), ['publicKey', 'secretKey']);
  for (const key of Object.values(pair)) assert.match(key, /^[0-9a-zA-Z.\-:+=^!/*?&<>()[\]{}@%$#]{40}$/);
  assert.notDeepEqual(curveKeyPair(), pair);
});

test('keys as Buffers are the same keys', async (t) => {
  const peers = peersFor(t, 'tcp');
  const bytes = (text) => {
    const digits = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#';
    const result = Buffer.alloc(32);
    for (let i = 0; i < 8; i += 1) {
      const value = [...text.slice(i * 5, i * 5 + 5)].reduce(
        (sum, digit) => sum * 85 + digits.indexOf(digit),
        0,
      );
      result.writeUInt32BE(value, i * 4);
    }
    return result;
  };
  const asBytes = ({ publicKey, secretKey }) => ({
    publicKey: bytes(publicKey),
    secretKey: bytes(secretKey),
  });
  const { client } = await peers.trio(undefined, {
    broker: curveBroker(asBytes(server), { own: { keys: [bytes(own.publicKey)] } }),
    worker: curvePeer(asBytes(server), asBytes(own)),
    client: curvePeer(server, own),
  });
  assert.equal(await client.call('service', 1), 1);
});

const broker = (conf, endpoint = TCP) => new Broker(endpoint, conf);
const client = (conf, endpoint = TCP) => new Client(endpoint, conf);
const curve = (security) => broker({ curveServer: true, curveSecretKey: server.secretKey, security });
const plain = (security) => broker({ plainServer: true, security });
const user = (rule) => ({ users: { u: rule } });
const secret = server.secretKey;
const short = secret.slice(1);

describe('what is refused', () => {
  for (const [make, type, message] of [
    [
      () => client({ curveSecretKey: own.secretKey }),
      TypeError,
      /"curveServerKey" is missing: CURVE requires/,
    ],
    [() => client({ curveServerKey: server.publicKey }), TypeError, /"curveSecretKey" is missing/],
    [
      () => client(curvePeer(server, { ...own, publicKey: server.publicKey })),
      RangeError,
      /is not the public key of/,
    ],
    [
      () => client({ ...curvePeer(server, own), plainUsername: 'u' }),
      TypeError,
      /"plainUsername" cannot be combined with CURVE/,
    ],
    [
      () => client(curvePeer(server, own), 'inproc://x'),
      RangeError,
      /endpoint "inproc:\/\/x" cannot be secured/,
    ],
    [() => client({ plainUsername: 'u' }), TypeError, /"plainPassword" is missing: PLAIN requires/],
    [
      () => client({ plainUsername: 'u', plainPassword: '' }),
      RangeError,
      /"plainPassword" must be .* got 0 bytes/,
    ],
    [
      () => client({ plainUsername: 'u', plainPassword: 7 }),
      TypeError,
      /"plainPassword" must be .* got number/,
    ],
    [
      () => client({ ...curvePeer(server, own), curveSecretKey: short }),
      RangeError,
      /40 .* 32 bytes, got 39 characters/,
    ],
    [() => client({ ...curvePeer(server, own), curveSecretKey: `~${short}` }), RangeError, /not Z85/],
    [() => client({ ...curvePeer(server, own), curveSecretKey: '#'.repeat(40) }), RangeError, /not Z85/],
    [
      () => client({ ...curvePeer(server, own), curveSecretKey: Buffer.alloc(31) }),
      RangeError,
      /got 31 bytes/,
    ],
    [() => client({ ...curvePeer(server, own), curveSecretKey: {} }), TypeError, /got object/],
    [() => broker({ curveSecretKey: secret }), TypeError, /"curveSecretKey" requires "curveServer"$/],
    [() => broker({ curveServer: true }), TypeError, /"curveSecretKey" is missing/],
    [() => broker({ curveServer: 1 }), TypeError, /"curveServer" must be a boolean, got 1/],
    [
      () => broker({ curveServer: true, plainServer: true }),
      TypeError,
      /"plainServer" cannot be combined with "curveServer"/,
    ],
    [() => broker({ plainServer: true }), TypeError, /"security" is missing: PLAIN requires rules/],
    [() => broker({ security: {} }), TypeError, /"security" requires "curveServer" or "plainServer"/],
    [() => broker({ plainServer: true, security: {} }, [TCP, 'inproc://x']), RangeError, /cannot be secured/],
    [() => broker({ curveServerKey: server.publicKey }), TypeError, /unknown option "curveServerKey"/],
    [() => curve({ users: { web: 'hunter2' } }), TypeError, /users\["web"\] must be an object, got string$/],
    [() => curve([]), TypeError, /option "security" must be an object, got array/],
    [() => curve(Promise.resolve({})), TypeError, /option "security" must be an object, got Promise$/],
    [() => curve({ users: new Map() }), TypeError, /users must be an object, got Map$/],
    [() => curve({ authorizeTimeout: 'x' }), TypeError, /authorizeTimeout must be a number/],
    [() => curve({ user: {} }), TypeError, /unknown member "user" of option "security"/],
    [() => curve({ authenticate: true }), TypeError, /authenticate must be a function/],
    [
      () => curve({ authenticate() {}, authenticateTimeout: 0 }),
      RangeError,
      /authenticateTimeout must be a number/,
    ],
    [() => curve(user({ key: own.publicKey })), TypeError, /unknown member "key" of .*users\["u"\]/],
    [() => curve(user({ keys: 'x' })), RangeError, /users\["u"\]\.keys must be a key/],
    [() => curve(user({ password: 'x' })), TypeError, /password requires PLAIN/],
    [
      () => curve({ users: { a: { keys: own.publicKey }, b: { keys: own.publicKey } } }),
      RangeError,
      /another user has/,
    ],
    [() => curve({ users: { '*': { keys: own.publicKey } } }), TypeError, /stands for all other users/],
    [() => curve({ users: { 'a\n': {} } }), RangeError, /without control characters/],
    [() => curve(user({ serve: [''] })), TypeError, /serve must be a service, a pattern/],
    [() => plain(user({ keys: own.publicKey })), TypeError, /keys requires CURVE/],
    [() => plain(user({ password: '$2b$12$abc' })), RangeError, /must be a hash of hashPassword/],
  ]) {
    test(`${message}`, () => {
      assert.throws(make, (error) => {
        assert.ok(error instanceof type, error.stack);
        assert.match(error.message, message);
        for (const hidden of [secret, short, own.secretKey]) assert.ok(!error.stack.includes(hidden));
        return true;
      });
    });
  }
});

test('no secret is shown, by inspection, JSON, events, errors or counts', async (t) => {
  const peers = peersFor(t, 'tcp');
  const hash = await hashPassword(PASSWORD);
  const users = { u: { password: PASSWORD }, v: { password: hash } };
  const conf = { plainUsername: 'u', plainPassword: `${PASSWORD}!` };
  const one = peers.broker({ plainServer: true, security: { users } });
  const other = curve(user({ keys: own.publicKey }));
  const all = [one, other, peers.client(conf), new Worker(TCP, 's', curvePeer(server, own))];
  await one.start();
  const [refused, error] = [next(one, 'peerRefused'), next(all[2], 'error')];
  await all[2].start();
  all.push(await refused, await error, one.refusals);
  for (const each of all) {
    const shown = inspect(each, { depth: Infinity, showHidden: true, getters: true }) + JSON.stringify(each);
    for (const hidden of [PASSWORD, hash, secret, own.secretKey]) assert.ok(!shown.includes(hidden), shown);
  }
});

test('hashes of passwords', async () => {
  assert.match(await hashPassword('x'), /^\$scrypt\$ln=15,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.notEqual(await hashPassword('x'), await hashPassword('x'));
  await assert.rejects(hashPassword(1), TypeError);
});
