'use strict';
// The command `zmq-omdp`, in processes of its own.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { describe, test } = require('node:test');
const { cli, cliEnd } = require('../support/cli');
const { freshEndpoint } = require('../support/endpoints');
const { peersFor } = require('../support/peers');
const { version } = require('../../package.json');

const POSIX = process.platform !== 'win32';

const LOG = ['--verbose', '--log-format', 'json'];

async function brokerFor(t, ...args) {
  const endpoint = freshEndpoint('tcp');
  const broker = cli(t, ['broker', '--bind', endpoint, ...LOG, ...args]);
  await broker.logged('started');
  return { endpoint, broker };
}

async function workerFor(t, endpoint, broker, service, command, ...args) {
  const worker = cli(t, ['worker', service, '-b', endpoint, ...LOG, ...args, '--', ...command]);
  await broker.logged('workerReady');
  return worker;
}

/** A command that runs this program, the same on every platform. */
const node = (program) => [process.execPath, '-e', program];
const CAT = node('process.stdin.pipe(process.stdout)');

test('--help and --version, of each command', async (t) => {
  assert.equal(String((await cli(t, ['--version']).ended).out), `${version}\n`);
  for (const args of [
    ['--help'],
    ['broker', '--help'],
    ['request', '-h'],
    ['worker', '--help'],
    ['keys', '--help'],
  ]) {
    const { code, out, lines } = await cliEnd(args);
    assert.equal(code, 0);
    assert.match(String(out), /^Usage: zmq-omdp /);
    assert.ok(
      String(out)
        .split('\n')
        .every((line) => line.length <= 100),
    );
    assert.deepEqual(lines, []);
  }
});

test('what is wrong is told in one line, with exit code 2', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-cli-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'conf.json');
  fs.writeFileSync(file, '{"hartbeat": 1}');
  for (const [args, message, env] of [
    [[], /no command given/],
    [['serve'], /unknown command "serve"/],
    [['broker', '--nope'], /unknown option "--nope"/],
    [['broker', '-x'], /unknown option "-x"/],
    [['broker', '--debug=3'], /--debug takes no value/],
    [['broker', 'x'], /takes no argument, got "x"/],
    [['broker', '-i', 'fast'], /--heartbeat must be a number, got "fast"/],
    [['broker', '-i', '0'], /--heartbeat must be a number from 1/],
    [['broker', '--log-format', 'xml'], /--log-format must be plain or json, got "xml"/],
    [['broker', '--dialects', 'mdp'], /must be one of "omdp"/],
    [['broker', '-c', file], /unknown key "hartbeat" in the config file/],
    [['broker', '-c', path.join(folder, 'none')], /cannot read the config file/],
    [['broker'], /ZMQ_OMDP_LIVENESS must be a number/, { ZMQ_OMDP_LIVENESS: 'x' }],
    [['request'], /needs a SERVICE/],
    [['request', 's', '{', '--json'], /DATA is not JSON/],
    [['worker'], /needs a SERVICE/],
    [['worker', 's'], /needs -- COMMAND/],
    [['worker', 's', '-p', 'mdp/0.1', '-n', '2', '--', 'x'], /--concurrency must be 1 under mdp/],
  ]) {
    const { code, lines } = await cliEnd(args, env);
    assert.equal(code, 2, args.join(' '));
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.match(lines[0], message);
    assert.match(lines[0], /^zmq-omdp: /);
  }
});

test('a broker that can not start says so in one line, with exit code 1', async (t) => {
  const { endpoint } = await brokerFor(t);
  const { code, lines } = await cli(t, ['broker', '--bind', endpoint]).ended;
  assert.equal(code, 1);
  assert.equal(lines.length, 1);
  assert.match(lines[0], /^zmq-omdp: .*in use/);
});

test('options of the command line go before the environment, that before the file', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-cli-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'conf.json');
  const [a, b, c] = [freshEndpoint('tcp'), freshEndpoint('tcp'), freshEndpoint('tcp')];
  const conf = { bind: c, heartbeat: 100, liveness: 5, busyTimeout: 9, verbose: true, logFormat: 'json' };
  fs.writeFileSync(file, JSON.stringify(conf));
  const env = {
    ZMQ_OMDP_BIND: `${a},${b}`,
    ZMQ_OMDP_HEARTBEAT: '200',
    ZMQ_OMDP_CONFIG: file,
    ZMQ_OMDP_DEBUG: '1',
  };
  const broker = cli(t, ['broker', '-i', '300'], { env });
  assert.deepEqual((await broker.logged('started')).endpoints, [a, b]);
  const { heartbeat, liveness, busyTimeout } = await broker.logged('configured');
  assert.deepEqual({ heartbeat, liveness, busyTimeout }, { heartbeat: 300, liveness: 5, busyTimeout: 9 });
});

test('a request gets its reply: values, text, bytes, JSON', async (t) => {
  const peers = peersFor(t, 'tcp');
  await peers.trio((data, reply) => {
    reply.write('part ');
    reply.end(data);
  });
  const ask = async (args, input) => {
    const { code, out, lines } = await cli(t, ['request', 'service', ...args, '-b', peers.endpoint], {
      input,
    }).ended;
    assert.equal(code, 0, lines.join('\n'));
    return out;
  };
  assert.equal(String(await ask(['hello'])), 'part hello');
  assert.equal(String(await ask([])), 'part ');
  assert.equal(String(await ask(['-'], 'from stdin')), 'part from stdin');
  assert.equal(String(await ask(['{"a":[1]}', '--json'])), '"part "\n{"a":[1]}\n');
  assert.deepEqual(await ask(['-'], Buffer.from([255, 0, 1])), Buffer.from('part \xff\0\x01', 'latin1'));
  for (const protocol of ['mdp/0.2', 'mdp/0.2-majortomo']) {
    assert.equal(String(await ask(['hello', '--protocol', protocol])), 'part hello');
  }
});

test('a request that fails', async (t) => {
  const peers = peersFor(t, 'tcp');
  await peers.trio((_data, reply) => reply.error({ code: 'E' }));
  const failed = await cli(t, ['request', 'service', 'x', '-b', peers.endpoint]).ended;
  assert.deepEqual([failed.code, failed.lines], [1, ['zmq-omdp: {"code":"E"}']]);
  const late = await cli(t, ['request', 'nobody', 'x', '-t', '500', '-b', peers.endpoint]).ended;
  const why = 'no reply from service "nobody" within 500 ms: no worker is registered for it at';
  assert.deepEqual([late.code, late.lines], [1, [`zmq-omdp: C_TIMEOUT: ${why} ${peers.endpoint}`]]);
});

test('a command as a worker: data to stdin, stdout as partials', async (t) => {
  const { endpoint, broker } = await brokerFor(t);
  await workerFor(t, endpoint, broker, 'cat', CAT);
  const peers = peersFor(t, 'tcp');
  peers.endpoint = endpoint;
  const client = peers.client();
  await client.start();
  const bytes = Buffer.alloc(3_000_000, 'some bytes');
  for (const [data, expected] of [
    [bytes, bytes],
    ['text', Buffer.from('text')],
    [{ a: 1 }, Buffer.from('{"a":1}')],
  ]) {
    const parts = await client.requestStream('cat', data).toArray();
    assert.ok(Buffer.concat(parts).equals(expected));
  }
  const request = cli(t, ['request', 'cat', '-', '-b', endpoint], { input: bytes });
  assert.ok((await request.ended).out.equals(bytes));
});

test('a command that fails is an error', async (t) => {
  const { endpoint, broker } = await brokerFor(t);
  await workerFor(t, endpoint, broker, 'bad', node('console.error("oops"); process.exitCode = 3'));
  const { code, lines } = await cli(t, ['request', 'bad', '-b', endpoint]).ended;
  assert.equal(code, 1);
  const error = JSON.parse(lines[0].replace('zmq-omdp: ', ''));
  assert.equal(error.code, 'COMMAND_FAILED');
  assert.equal(error.exitCode, 3);
  assert.match(error.stderr, /^oops/);
});

test('a command that is not there any more is an error', {
  skip: !POSIX && 'it takes a script',
}, async (t) => {
  const { endpoint, broker } = await brokerFor(t);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-cli-'));
  const file = path.join(folder, 'command');
  fs.writeFileSync(file, '#!/bin/sh\n', { mode: 0o755 });
  await workerFor(t, endpoint, broker, 'none', [file]);
  fs.rmSync(folder, { recursive: true });
  const { code, lines } = await cli(t, ['request', 'none', '-b', endpoint]).ended;
  assert.equal(code, 1);
  assert.match(lines[0], /ENOENT/);
});

describe('signals', { skip: !POSIX && 'Windows has no signals to catch' }, () => {
  for (const signal of ['SIGINT', 'SIGTERM']) {
    test(`${signal} stops broker and worker in order`, async (t) => {
      const { endpoint, broker } = await brokerFor(t);
      const worker = await workerFor(t, endpoint, broker, 'cat', CAT);
      worker.child.kill(signal);
      assert.equal((await worker.ended).code, 0);
      assert.deepEqual((await broker.logged('workerGone')).reason, 'goodbye');
      broker.child.kill(signal);
      const { code, lines } = await broker.ended;
      assert.equal(code, 0);
      assert.equal(JSON.parse(lines.at(-1)).event, 'stopped');
    });
  }

  test('a worker lets the running request end, and a second signal does not wait', async (t) => {
    const { endpoint, broker } = await brokerFor(t);
    const hang = node('process.stdout.write("begun"); setInterval(() => {}, 1000)');
    const worker = await workerFor(t, endpoint, broker, 'hang', hang);
    const peers = peersFor(t, 'tcp');
    peers.endpoint = endpoint;
    const client = peers.client();
    await client.start();
    const stream = client.requestStream('hang', 1);
    const failed = new Promise((resolve) => stream.on('error', resolve));
    await new Promise((resolve) => stream.once('data', resolve));
    worker.child.kill('SIGTERM');
    await worker.logged('signal');
    worker.child.kill('SIGTERM');
    assert.equal((await failed).code, 'W_LOST');
    assert.equal((await worker.ended).code, 0);
  });

  test('a request that is interrupted ends the command', async (t) => {
    const { endpoint, broker } = await brokerFor(t);
    const hang = node('process.stdout.write("begun"); setInterval(() => {}, 1000)');
    const worker = await workerFor(t, endpoint, broker, 'hang', hang);
    const request = cli(t, ['request', 'hang', '-b', endpoint]);
    await new Promise((resolve) => request.child.stdout.once('data', resolve));
    request.child.kill('SIGINT');
    const { code, lines } = await request.ended;
    assert.deepEqual([code, lines], [130, []]);
    assert.match((await worker.logged('request')).error, /abort/);
  });

  test('a client that dies with its requests is in the log of the broker', async (t) => {
    const { endpoint, broker } = await brokerFor(t);
    const hang = node('process.stdout.write("begun"); setInterval(() => {}, 1000)');
    const worker = await workerFor(t, endpoint, broker, 'hang', hang);
    const request = cli(t, ['request', 'hang', '-b', endpoint]);
    await new Promise((resolve) => request.child.stdout.once('data', resolve));
    request.child.kill('SIGKILL');
    const { level, reason, lost } = await broker.logged('clientGone');
    assert.deepEqual({ level, reason, lost }, { level: 'info', reason: 'connection lost', lost: 1 });
    // Its command has ended: it would outlive a worker that is killed.
    assert.match((await worker.logged('request')).error, /abort/);
  });
});
