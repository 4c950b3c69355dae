'use strict';
// The command `zmq-omdp` and security: keys, files, the environment, rules that are read again; and no secret shown.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { describe, test } = require('node:test');
const { curveKeyPair, hashPassword } = require('../..');
const { cli, cliEnd } = require('../support/cli');
const { freshEndpoint } = require('../support/endpoints');

const POSIX = process.platform !== 'win32';
const LOG = ['--debug', '--log-format', 'json'];
const KEY = /^[0-9a-zA-Z.\-:+=^!/*?&<>()[\]{}@%$#]{40}\n$/;
const CAT = [process.execPath, '-e', 'process.stdin.pipe(process.stdout)'];

function folderFor(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-cli-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  return {
    folder,
    at: (name) => path.join(folder, name),
    write(name, text) {
      fs.writeFileSync(path.join(folder, name), typeof text === 'string' ? text : JSON.stringify(text), {
        mode: 0o600,
      });
      return path.join(folder, name);
    },
  };
}

const wrong = async (args, message, env) => {
  const { code, lines } = await cliEnd(args, env);
  assert.equal(code, 2, lines.join('\n'));
  assert.equal(lines.length, 1, lines.join('\n'));
  assert.match(lines[0], message);
  return lines[0];
};

/** A broker with these users, a key of its own, and what its peers need. */
async function curveFor(t, users, env = {}) {
  const files = folderFor(t);
  const pair = curveKeyPair();
  const endpoint = freshEndpoint('tcp');
  const key = files.write('broker.key', `${pair.secretKey}\n`);
  const rules = (users) => files.write('conf.json', { bind: endpoint, security: { users } });
  const config = rules(users);
  const broker = cli(t, ['broker', '-c', config, '--curve-secret-key-file', key, ...LOG], { env });
  await broker.logged('started');
  const as = ({ secretKey }, name) => [
    '-b',
    endpoint,
    '--curve-server-key',
    pair.publicKey,
    '--curve-secret-key-file',
    files.write(`${name}.key`, secretKey),
  ];
  return { files, pair, endpoint, broker, rules, as };
}

describe('keys', () => {
  test('writes the secret key for its owner alone, and prints the public one', async (t) => {
    const { at } = folderFor(t);
    const { code, out, lines } = await cli(t, ['keys', at('a.key')]).ended;
    assert.deepEqual([code, lines], [0, []]);
    assert.match(String(out), KEY);
    assert.match(fs.readFileSync(at('a.key'), 'utf8'), KEY);
    assert.notEqual(String(out), fs.readFileSync(at('a.key'), 'utf8'));
    if (POSIX) assert.equal(fs.statSync(at('a.key')).mode & 0o777, 0o600);
    const again = await cli(t, ['keys', '--public', at('a.key')]).ended;
    assert.equal(String(again.out), String(out));
  });

  test('never overwrites without --force, and then for its owner alone', async (t) => {
    const { folder, at } = folderFor(t);
    fs.writeFileSync(at('a.key'), 'mine', { mode: 0o644 });
    const refused = await cli(t, ['keys', at('a.key')]).ended;
    assert.deepEqual(
      [refused.code, String(refused.out), refused.lines],
      [1, '', [`zmq-omdp: ${at('a.key')} already exists; --force overwrites it`]],
    );
    assert.equal(fs.readFileSync(at('a.key'), 'utf8'), 'mine');
    const { code } = await cli(t, ['keys', at('a.key'), '--force']).ended;
    assert.equal(code, 0);
    assert.match(fs.readFileSync(at('a.key'), 'utf8'), KEY);
    if (POSIX) assert.equal(fs.statSync(at('a.key')).mode & 0o777, 0o600);
    assert.deepEqual(fs.readdirSync(folder), ['a.key']);
  });

  test('what is wrong', async (t) => {
    const { at, write } = folderFor(t);
    await wrong(['keys', 'a', 'b'], /keys takes one FILE, but also got "b"/);
    const { secretKey } = curveKeyPair();
    const line = await wrong(['keys', '-p', write('short', secretKey.slice(1))], /got 39 characters$/);
    assert.ok(!line.includes(secretKey.slice(1)));
    await wrong(['keys', '-p', at('none')], /cannot read the secret: ENOENT/);
    const nowhere = await cli(t, ['keys', path.join(at('none'), 'a.key')]).ended;
    assert.deepEqual([nowhere.code, nowhere.lines.length], [1, 1]);
  });
});

test('CURVE: broker, worker and request, with keys from files', async (t) => {
  const [own, web, stranger] = [curveKeyPair(), curveKeyPair(), curveKeyPair()];
  const users = { own: { keys: own.publicKey, serve: 'cat' }, web: { keys: web.publicKey, call: 'cat' } };
  const { broker, as } = await curveFor(t, users);
  const worker = cli(t, ['worker', 'cat', ...as(own, 'own'), ...LOG, '--', ...CAT]);
  await broker.logged('workerReady');
  const good = await cli(t, ['request', 'cat', 'hello', ...as(web, 'web')]).ended;
  assert.deepEqual([good.code, String(good.out)], [0, 'hello'], good.lines.join('\n'));
  const denied = await cli(t, ['request', 'other', 'x', ...as(web, 'web')]).ended;
  assert.deepEqual([denied.code, denied.lines], [1, ['zmq-omdp: B_DENIED: the broker denied the request']]);
  assert.equal((await broker.logged('denied')).user, 'web');
  const refused = await cli(t, ['request', 'cat', 'x', ...as(stranger, 'stranger')]).ended;
  assert.deepEqual([refused.code, refused.lines], [1, ['zmq-omdp: B_REFUSED: not admitted by the broker']]);
  assert.equal((await broker.logged('peerRefused')).publicKey, stranger.publicKey);
  const lost = cli(t, ['worker', 'cat', ...as(stranger, 'stranger'), ...LOG, '--', ...CAT]);
  assert.equal((await lost.logged('error')).code, 'B_REFUSED');
  assert.ok(worker);
});

test('a command does not get the secrets of its worker', async (t) => {
  const [own, web] = [curveKeyPair(), curveKeyPair()];
  const users = { own: { keys: own.publicKey }, web: { keys: web.publicKey } };
  const { broker, as, endpoint, pair } = await curveFor(t, users);
  const env = { ZMQ_OMDP_CURVE_SECRET_KEY: own.secretKey, ZMQ_OMDP_CURVE_SERVER_KEY: pair.publicKey };
  const print = [process.execPath, '-e', 'process.stdout.write(JSON.stringify(process.env))'];
  cli(t, ['worker', 'env', '-b', endpoint, '--', ...print], { env });
  await broker.logged('workerReady');
  const { out } = await cli(t, ['request', 'env', ...as(web, 'web')]).ended;
  assert.equal(JSON.parse(out).ZMQ_OMDP_CURVE_SERVER_KEY, pair.publicKey);
  assert.ok(!String(out).includes(own.secretKey));
});

test('PLAIN: users from the config file, passwords from a file and from the environment', async (t) => {
  const { write } = folderFor(t);
  const endpoint = freshEndpoint('tcp');
  const users = { own: { password: await hashPassword('own password') }, web: { password: 'web password' } };
  const config = write('conf.json', { bind: endpoint, plainServer: true, security: { users } });
  const broker = cli(t, ['broker', '-c', config, ...LOG]);
  await broker.logged('started');
  const peer = ['-b', endpoint, '--plain-username'];
  const own = ['--plain-password-file', write('own', 'own password\n')];
  const worker = cli(t, ['worker', 'cat', ...peer, 'own', ...own, ...LOG, '--', ...CAT]);
  await broker.logged('workerReady');
  const env = { ZMQ_OMDP_PLAIN_PASSWORD: 'web password' };
  const good = await cli(t, ['request', 'cat', 'hello', ...peer, 'web'], { env }).ended;
  assert.deepEqual([good.code, String(good.out)], [0, 'hello'], good.lines.join('\n'));
  const bad = await cli(t, ['request', 'cat', 'x', ...peer, 'web', ...own]).ended;
  assert.deepEqual([bad.code, bad.lines], [1, ['zmq-omdp: B_REFUSED: not admitted by the broker']]);
  await broker.logged('peerRefused');
  if (!POSIX) return;
  for (const { child } of [worker, broker]) child.kill('SIGTERM');
  for (const { ended } of [worker, broker]) {
    const { code, lines } = await ended;
    assert.equal(code, 0);
    assert.doesNotMatch(lines.join('\n'), /(own|web) password|\$scrypt/);
  }
});

test('SIGHUP replaces the rules; what is wrong with them is told, and the old ones stay', {
  skip: !POSIX && 'Windows has no signals to catch',
}, async (t) => {
  const [own, web] = [curveKeyPair(), curveKeyPair()];
  const users = { own: { keys: own.publicKey } };
  const { files, broker, rules, as, pair } = await curveFor(t, users);
  cli(t, ['worker', 'cat', ...as(own, 'own'), '--', ...CAT]);
  await broker.logged('workerReady');
  const ask = () => cli(t, ['request', 'cat', 'x', ...as(web, 'web')]).ended;
  assert.equal((await ask()).code, 1);
  for (const [text, message] of [
    [`{"security": {"users": "${web.secretKey}"`, /is not JSON/],
    ['{}', /has no "security"/],
    [{ security: { users: { web: web.secretKey } } }, /must be an object, got string/],
    [{ security: { authenticate: 'yes' } }, /must be a function/],
  ]) {
    files.write('conf.json', text);
    const failed = broker.logged('reloadFailed', true);
    broker.child.kill('SIGHUP');
    assert.match((await failed).message, message);
  }
  assert.equal((await ask()).code, 1);
  rules({ ...users, web: { keys: web.publicKey } });
  broker.child.kill('SIGHUP');
  assert.deepEqual((await broker.logged('reloaded')).users, ['own', 'web']);
  const good = await ask();
  assert.equal(good.code, 0, good.lines.join('\n'));
  broker.child.kill('SIGTERM');
  const { lines } = await broker.ended;
  for (const secret of [web.secretKey, own.secretKey, pair.secretKey]) {
    assert.ok(!lines.join('\n').includes(secret));
  }
});

test('a broker logs its configuration without secrets', async (t) => {
  const pair = curveKeyPair();
  const { write } = folderFor(t);
  const security = { users: { web: { keys: curveKeyPair().publicKey } } };
  const config = write('conf.json', { bind: freshEndpoint('tcp'), curveSecretKey: pair.secretKey, security });
  const broker = cli(t, ['broker', '-c', config, ...LOG]);
  const { users, curveSecretKey } = await broker.logged('configured');
  assert.deepEqual([users, curveSecretKey], [['web'], undefined]);
});

test('what is wrong is told in one line, with exit code 2, and without the secret', async (t) => {
  const { write, at } = folderFor(t);
  const { publicKey, secretKey } = curveKeyPair();
  const key = write('key', secretKey);
  const torn = write('torn.json', `{"curveSecretKey": "${secretKey}", }`);
  const env = { ZMQ_OMDP_CURVE_SECRET_KEY: secretKey };
  for (const [args, message, env] of [
    [['broker', '-c', torn], /is not JSON/],
    [['broker', '--curve-secret-key', secretKey], /unknown option "--curve-secret-key"/],
    [['request', 's', '--plain-password', secretKey], /unknown option "--plain-password"/],
    [
      ['broker', '--curve-secret-key-file', at('none')],
      /cannot read the secret of --curve-secret-key-file: ENOENT/,
    ],
    [['broker', '--curve-secret-key-file', write('empty', '\n')], /is empty/],
    [['broker', '--curve-secret-key-file', write('long', `${secretKey}x`)], /got 41 characters/],
    [['broker', '--plain-server'], /option "security" is missing: PLAIN requires rules with users/],
    [['broker', '-c', write('a', { security: {} })], /"security" in the config file requires "curveServer"/],
    [['broker', '-c', write('b', { security: 'x' })], /"security" in the config file must be an object/],
    [['broker', '-b', 'inproc://x', '--curve-secret-key-file', key], /cannot be secured/],
    [['request', 's', '--curve-secret-key-file', key], /--curve-server-key is missing/],
    [['request', 's', '--curve-server-key', publicKey], /--curve-secret-key-file is missing/],
    [['request', 's', '--plain-username', 'u'], /--plain-password-file is missing/],
    [
      ['worker', 's', '--curve-server-key', 'short', '--curve-secret-key-file', key, '--', 'x'],
      /got 5 characters/,
    ],
  ]) {
    const line = await wrong(args, message, env);
    assert.ok(!line.includes(secretKey.slice(1, 12)), line);
  }
  await wrong(['broker', '--curve-secret-key-file', key], /are both given/, env);
});
