'use strict';
// What commands print, and with which exit code they end: failing writes, services without workers, odd names, signals.
const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { describe, test } = require('node:test');
const { printable, shownName } = require('../../lib/printable');
const { cli, cliEnd } = require('../support/cli');
const { freshEndpoint } = require('../support/endpoints');
const { until } = require('../support/events');
const { SERVICE, peersFor } = require('../support/peers');

const BIN = path.join(__dirname, '..', '..', 'bin', 'zmq-omdp.js');
const FULL = '/dev/full';

/** How to run commands at a broker. */
function runFor({ endpoint }) {
  return (...args) => cliEnd([...args, '-b', endpoint]);
}

describe('a write that fails', { skip: !fs.existsSync(FULL) && `there is no ${FULL}` }, () => {
  const toFull = async (t, args) => {
    const full = fs.openSync(FULL, 'w');
    const child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', full, 'pipe'] });
    t.after(() => child.kill('SIGKILL'));
    let text = '';
    child.stderr.on('data', (chunk) => {
      text += chunk;
    });
    const [code] = await once(child, 'close');
    fs.closeSync(full);
    return { code, text };
  };
  const failure = {
    code: 1,
    text: 'zmq-omdp: cannot write the output: ENOSPC: no space left on device\n',
  };

  test('without a broker', async (t) => {
    for (const args of [['--help'], ['--version'], ['ls', '--help'], ['completion', 'bash']])
      assert.deepEqual(await toFull(t, args), failure, args.join(' '));
  });

  test('of a command that asks a broker, and of one that would go on', async (t) => {
    const peers = peersFor(t, 'tcp');
    await peers.trio((_data, reply) => {
      reply.write('part');
      reply.end('end');
    });
    for (const args of [
      ['ls'],
      ['stats', '--json'],
      ['info', SERVICE],
      ['ping', SERVICE],
      ['top', '--interval', '3600000'],
      ['events', '--all'],
      ['bench', SERVICE, '--seconds', '0.1'],
      ['request', SERVICE],
      ['request', SERVICE, '--stream'],
    ])
      assert.deepEqual(await toFull(t, [...args, '-b', peers.endpoint]), failure, args.join(' '));
  });
});

test('services whose workers are gone are shown with their counts', async (t) => {
  const peers = peersFor(t, 'tcp');
  const { broker, client, worker } = await peers.trio(undefined, { broker: { maxMeasuredServices: 1 } });
  const run = runFor(peers);
  const other = peers.worker((_data, reply) => reply.error('no'), { service: 'unlisted' });
  await other.start();
  await client.call(SERVICE, 1);
  await client.call('unlisted', 1).catch(() => {});
  await Promise.all([worker.stop(), other.stop()]);
  await until(async () => (await broker.stats()).services.length === 0);
  const all = await run('stats');
  assert.equal(all.code, 0);
  assert.match(
    all.out,
    /^SERVICE .*\nservice +0 +0 +0 +1 +1 +0 +0 .*\n\(other services\) +0 +0 +0 +1 +0 +1 /,
  );
  assert.match((await run('stats', SERVICE)).out, /^SERVICE .*\nservice +0 +0 +0 +1 +1 .*\n$/);
  const { counters, workers } = JSON.parse((await run('stats', SERVICE, '--json')).out);
  assert.deepEqual([counters.replies, workers], [1, 0]);
  const info = await run('info', SERVICE);
  assert.equal(info.code, 0);
  assert.match(
    info.out,
    /^service: workers 0, idle 0; requests running 0, waiting 0\nrequests 1, replies 1,/,
  );
  assert.equal((await run('info', 'unlisted')).code, 1);
});

test('stats without services say so', async (t) => {
  const peers = peersFor(t, 'tcp');
  await peers.broker().start();
  const run = runFor(peers);
  assert.deepEqual(await run('stats'), { code: 1, out: '', lines: ['zmq-omdp: there are no services'] });
  const { code, out } = await run('stats', '--json');
  assert.deepEqual([code, JSON.parse(out).services], [0, []]);
});

test('top: a service whose worker returns has the rate since the last update', async (t) => {
  const peers = peersFor(t, 'tcp');
  const { broker, client, worker } = await peers.trio();
  for (let n = 0; n < 50; n += 1) await client.call(SERVICE, n);
  await worker.stop();
  await until(async () => (await broker.stats()).services.length === 0);
  const { child } = cli(t, ['top', '--json', '--interval', '200', '-b', peers.endpoint]);
  const told = [];
  child.stdout.on('data', (chunk) => told.push(...String(chunk).trim().split('\n').map(JSON.parse)));
  await until(() => told.length > 0);
  await peers.worker().start();
  const entry = await until(() => told.flatMap(({ services }) => services)[0]);
  assert.deepEqual([entry.name, entry.rate], [SERVICE, 0]);
});

describe('names', () => {
  test('what is not seen is escaped', () => {
    const unseen = [
      0x00, 0x1b, 0x9b, 0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x180e, 0x200b, 0x200f, 0x2028, 0x202e,
    ];
    for (const code of [...unseen, 0x2060, 0x2064, 0x2800, 0x3164, 0xfe00, 0xfe0f, 0xfeff, 0xffa0])
      assert.equal(printable(String.fromCodePoint(code)), `\\u${code.toString(16).padStart(4, '0')}`);
    assert.equal(printable('\u{e0041}\ud800'), '\\udb40\\udc41\\ud800');
    assert.equal(JSON.parse(printable(JSON.stringify('a\u{e0041}\u200b'))), 'a\u{e0041}\u200b');
    for (const text of ['é', '漢字', '😀', 'a b', 'e\u0301']) assert.equal(shownName(text), text);
    assert.deepEqual(['  ', ' a', 'a\u3000'].map(shownName), ['"  "', '" a"', '"a\u3000"']);
  });

  test('of spaces alone are in quotes', async (t) => {
    const peers = peersFor(t, 'tcp');
    const { client } = await peers.trio(undefined, { worker: { service: '  ' } });
    await client.call('  ', 1);
    const run = runFor(peers);
    for (const args of [['ls'], ['stats'], ['top', '--count', '1']])
      assert.match((await run(...args)).out, /^" {2}" /m, args[0]);
    assert.match((await run('info', '  ')).out, /^" {2}": workers 1/);
    assert.match((await run('ping', '  ')).out, /^" {2}" is served/);
  });
});

describe('the exit code after a signal', { skip: process.platform === 'win32' }, () => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ]) {
    test(`${signal} of a command that has not its answer`, async (t) => {
      // It accepts connections, and answers nothing.
      const silent = net.createServer().listen(0, '127.0.0.1');
      t.after(() => silent.close());
      await once(silent, 'listening');
      const endpoint = `tcp://127.0.0.1:${silent.address().port}`;
      for (const args of [['ls'], ['stats'], ['info', 's'], ['ping', 's'], ['request', 's']]) {
        const { child, ended } = cli(t, [...args, '-b', endpoint]);
        const [socket] = await once(silent, 'connection');
        socket.on('error', () => {});
        child.kill(signal);
        const { code: got, lines } = await ended;
        // A pipe at stdin is not read, of which only request tells.
        const told = lines.filter((line) => !line.includes('stdin'));
        assert.deepEqual([got, told], [code, []], args[0]);
      }
    });
  }
});

test('arguments after -- are arguments, of all commands', async (t) => {
  for (const [args, message] of [
    [['stats', '--', 'a', 'b'], 'stats takes one SERVICE, but also got "b"'],
    [['ls', '--', 'junk'], 'ls takes no argument, got "junk"'],
    [['top', '--', '-x'], 'top takes no argument, got "-x"'],
    [['events', '--', '--json'], 'events takes no argument, got "--json"'],
    [['broker', '--', 'x'], 'broker takes no argument, got "x"'],
    [['info', 'a', '--', '-b', 'c'], 'info takes a SERVICE and a WORKER, but also got "c"'],
    [['ping', '--', '-x', 'y'], 'ping takes one SERVICE, but also got "y"'],
    [['bench', '--', '-x', 'y'], 'bench takes one SERVICE, but also got "y"'],
    [['completion', '--', 'ksh'], 'completion takes one of bash, zsh, fish'],
    [['worker', 'a', 'b', '--', 'cat'], 'worker takes one SERVICE, but also got "b"; COMMAND follows --'],
    [['ls', '--curve-server-key', '-b', 'tcp://127.0.0.1:1'], '--curve-server-key needs a value'],
    [['ls', '-t', '-j'], '--timeout needs a value'],
  ]) {
    const { code, lines } = await cliEnd(args);
    assert.deepEqual([code, lines], [2, [`zmq-omdp: ${message}`]]);
  }
  const peers = peersFor(t, 'tcp');
  await peers.trio(undefined, { worker: { service: '-x' } });
  for (const command of ['info', 'ping', 'stats']) {
    const { code, out } = await cliEnd([command, '-b', peers.endpoint, '--', '-x']);
    assert.deepEqual([code, String(out).includes('-x')], [0, true], command);
  }
});

test('failures of requests say why', async (t) => {
  const endpoint = freshEndpoint('tcp');
  for (const [args, message] of [
    [['request', 's'], `C_TIMEOUT: no reply from service "s" within 300 ms: no broker at ${endpoint}`],
    [
      ['request', 's', '--stream'],
      `C_TIMEOUT: no reply from service "s" within 300 ms: no broker at ${endpoint}`,
    ],
    [['ping', 's'], `C_TIMEOUT: the broker does not answer: no broker at ${endpoint}`],
  ]) {
    const { code, lines } = await cli(t, [...args, '-t', '300', '-b', endpoint], { input: '' }).ended;
    const [line] = lines.filter((each) => !each.includes('stdin'));
    assert.deepEqual([code, line.startsWith(`zmq-omdp: ${message}`)], [1, true], line);
  }
});

test('request --count goes on after failures, each of which is a line', async (t) => {
  const peers = peersFor(t, 'tcp');
  let n = 0;
  await peers.trio((_data, reply) => {
    n += 1;
    if (n === 2) reply.error('two\nlines');
    else reply.end(`${n}\n`);
  });
  const run = runFor(peers);
  const { code, out, lines } = await run('request', SERVICE, 'x', '--count', '3');
  assert.deepEqual([code, out, lines.at(-1)], [1, '1\n3\n', 'zmq-omdp: two\\u000alines']);
  n = 1;
  const json = await run('request', SERVICE, '1', '--json');
  assert.deepEqual([json.code, json.lines.at(-1)], [1, 'zmq-omdp: "two\\nlines"']);
});

test('bench counts failures, and tells each message once', async (t) => {
  const peers = peersFor(t, 'tcp');
  let n = 0;
  await peers.trio((_data, reply) => {
    n += 1;
    if (n % 2) reply.error({ code: 'E', message: 'odd' });
    else reply.end();
  });
  const run = runFor(peers);
  const bench = (service, ...args) => run('bench', service, '--seconds', '0.2', '--in-flight', '4', ...args);
  const { ended, replies, failures, errors, messages } = JSON.parse((await bench(SERVICE, '--json')).out);
  assert.ok(replies > 0 && failures > 0);
  assert.equal(ended, replies + failures);
  assert.deepEqual([errors, messages], [{ E: failures }, [{ code: 'E', message: 'odd', count: failures }]]);
  const { code, out } = await bench(SERVICE);
  assert.equal(code, 0);
  assert.match(out, /^service: \d+ requests in 0\.\d s, \d+ replies a second, \d+ failures\n/);
  assert.match(out, /\nerrors: \d+ E\n {2}\d+ × E: odd\n$/);
  const none = await bench('nobody', '-t', '100');
  assert.equal(none.code, 1);
  assert.match(
    none.out,
    /\nms: median none, 95 % none, 99 % none\nerrors: \d+ C_TIMEOUT\n {2}\d+ × C_TIMEOUT: no reply/,
  );
  assert.equal(JSON.parse((await bench('nobody', '-t', '100', '--json')).out).p50, null);
});
