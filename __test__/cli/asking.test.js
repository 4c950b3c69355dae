'use strict';
// The commands that ask a broker what it does.
const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { createInterface } = require('node:readline');
const { describe, test } = require('node:test');
const { promisify } = require('node:util');
const { cli, cliEnd } = require('../support/cli');
const { until } = require('../support/events');
const { SERVICE, ask, peersFor } = require('../support/peers');

const HOSTILE = 'evil\x1b[31m\nname\x9b\u202e\u061c';

/** A broker with a load of 4 replies and 1 failure, and how to run a command at it. */
async function loaded(t) {
  const peers = peersFor(t, 'tcp');
  const trio = await peers.trio(
    (data, reply) => {
      if (data === 'fail') reply.error('failed');
      else reply.end(data);
    },
    { worker: { name: 'W1' } },
  );
  for (const data of ['a', 'b', 'c', 'd', 'fail']) await ask(trio.client, data);
  const run = (...args) => cliEnd([...args, '-b', peers.endpoint]);
  const json = async (...args) => JSON.parse((await run(...args, '--json')).out);
  return { ...trio, json, peers, run };
}

describe('what is there', () => {
  test('ls', async (t) => {
    const { json, run, worker } = await loaded(t);
    const { code, out } = await run('ls');
    assert.equal(code, 0);
    assert.equal(out, 'SERVICE  WORKERS  WAITING  RUNNING\nservice        1        0        0\n');
    const [{ name, workers, queued, running, requests, errors }, ...others] = await json('ls');
    assert.deepEqual([name, workers, queued, running, requests, errors], [SERVICE, 1, 0, 0, 5, 1]);
    assert.deepEqual(others, []);
    await worker.stop();
    // One answer of the broker serves all questions of a moment.
    const end = await until(async () => [await run('ls')].find((each) => each.code === 1));
    assert.deepEqual(end, { code: 1, out: '', lines: ['zmq-omdp: there are no services'] });
    assert.equal((await run('ls', '--json')).out, '[]\n');
  });

  test('ls, with more services than a page of the list has', async (t) => {
    const { broker, client, json } = await loaded(t);
    const names = Array.from({ length: 520 }, (_, n) => `s${n}`);
    for (const name of names) client.request(name, null, undefined, () => {});
    await until(async () => (await broker.stats()).queued === names.length);
    const listed = (await json('ls')).map(({ name }) => name);
    assert.deepEqual(listed.sort(), [SERVICE, ...names].sort());
  });

  test('info', async (t) => {
    const { json, run } = await loaded(t);
    const { code, out } = await run('info', SERVICE);
    assert.equal(code, 0);
    assert.match(out, /^service: workers 1, idle 1; requests running 0, waiting 0\n/);
    assert.match(out, /requests 5, replies 4, failures 1, retries 0, rejections 0, cancelled 0\nerrors 0\n/);
    assert.match(out, /\nW1 +omdp +0 +5 +1 /);
    const { name, ended, failed } = await json('info', SERVICE, 'W1');
    assert.deepEqual([name, ended, failed], ['W1', 5, 1]);
    for (const [names, line] of [
      [['nobody'], 'there is no service "nobody"'],
      [[SERVICE, 'W2'], 'there is no worker "W2" of "service"'],
    ]) {
      const lines = [`zmq-omdp: ${line}`];
      assert.deepEqual(await run('info', ...names), { code: 1, out: '', lines });
      assert.deepEqual(await run('info', ...names, '--json'), { code: 1, out: 'null\n', lines });
    }
  });

  test('stats', async (t) => {
    const { json, run } = await loaded(t);
    const { counters } = await json('stats', SERVICE);
    assert.deepEqual([counters.requests, counters.replies, counters.failures], [5, 4, 1]);
    assert.equal((await json('stats')).counters.requests, 5);
    assert.match((await run('stats')).out, /\nservice +1 +0 +0 +5 +4 +1 +0 /);
    const lines = ['zmq-omdp: there is no service "nobody"'];
    assert.deepEqual(await run('stats', 'nobody'), { code: 1, out: '', lines });
    assert.deepEqual(await run('stats', 'nobody', '--json'), { code: 1, out: 'null\n', lines });
  });

  test('ping', async (t) => {
    const { json, run } = await loaded(t);
    const { served, ms } = await json('ping', SERVICE);
    assert.ok(served && ms > 0);
    const { code, out } = await run('ping', 'nobody');
    assert.equal(code, 1);
    assert.match(out, /^nobody has no worker; the broker answered in /);
  });

  test('names of peers can’t do anything to a terminal', async (t) => {
    const { broker, json, peers, run } = await loaded(t);
    const ready = once(broker, 'workerReady');
    await peers.worker((data, reply) => reply.end(data), { service: HOSTILE }).start();
    await ready;
    const { out } = await run('ls');
    assert.ok(out.includes('evil\\u001b[31m\\u000aname\\u009b\\u202e\\u061c'));
    assert.equal(out.split('\n').length, 4);
    // In JSON the same escapes change nothing for a program.
    const written = 'evil\\u001b[31m\\nname\\u009b\\u202e\\u061c';
    assert.ok((await run('ls', '--json')).out.includes(written));
    assert.ok((await json('ls')).some(({ name }) => name === HOSTILE));
    const events = await run('events', '--all', '--count', '2');
    assert.ok(events.out.includes(`service="${written}"`), events.out);
    assert.ok((await run('request', HOSTILE, JSON.stringify([HOSTILE]), '--json')).out.includes(written));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it is about
    for (const text of [out, events.out]) assert.doesNotMatch(text, /[\x1b\x9b\u202e\u061c]/);
  });

  test('no broker', async (t) => {
    const { endpoint } = peersFor(t, 'tcp');
    const { code, lines } = await cli(t, ['ls', '-b', endpoint, '-t', '200']).ended;
    assert.deepEqual(
      [code, lines],
      [1, [`zmq-omdp: C_TIMEOUT: the broker does not answer: no broker at ${endpoint}`]],
    );
  });

  test('an endpoint that cannot be, in one line', async (t) => {
    for (const args of [['ls'], ['ping', SERVICE], ['top'], ['events'], ['bench', SERVICE]]) {
      const { code, lines } = await cliEnd([...args, '-b', 'nonsense']);
      assert.deepEqual([code, lines.length], [1, 1], args[0]);
      assert.match(lines[0], /^zmq-omdp: cannot connect to nonsense: Invalid argument/);
    }
  });

  test('a count that cannot be', async (t) => {
    for (const [command, count] of [
      ['events', '-1'],
      ['top', '0'],
      ['events', '1.5'],
    ]) {
      const { code, lines } = await cliEnd([command, '--count', count]);
      assert.deepEqual([code, lines], [2, [`zmq-omdp: --count must be an integer from 1, got "${count}"`]]);
    }
  });

  test('a name that cannot be looked up', async (t) => {
    const args = ['ls', '-b', 'tcp://brokers.invalid:5555', '--discover', 'all', '-t', '5000'];
    const { code, lines } = await cli(t, args).ended;
    assert.deepEqual([code, lines.length], [1, 1]);
    assert.match(
      lines[0],
      /^zmq-omdp: C_TIMEOUT: the broker does not answer: cannot look up the brokers: .*brokers\.invalid/,
    );
  });
});

describe('what goes on', () => {
  test('top, by lines', async (t) => {
    const { run, json } = await loaded(t);
    const { out } = await run('top', '--count', '2', '--interval', '50');
    assert.match(out, /1 clients, 1 workers|2 clients, 1 workers/);
    assert.equal(out.split('\n').filter((line) => line.startsWith(SERVICE)).length, 2);
    const { services } = await json('top', '--count', '1');
    assert.deepEqual([services[0].name, services[0].workers], [SERVICE, 1]);
  });

  test('events, as they happen and from before', async (t) => {
    const before = Date.now();
    const { peers, run } = await loaded(t);
    const all = await run('events', '--all', '--count', '1', '--json');
    const { time, event, service, worker } = JSON.parse(all.out);
    assert.deepEqual([event, service], ['workerReady', SERVICE]);
    assert.equal(worker, 'W1');
    const asked = Date.now();
    // A process of its own: a question that takes longer than events are kept in answers.
    const other = cli(t, ['events', '--all', '--count', '1', '-b', peers.endpoint]);
    const [again, ...words] = String((await other.ended).out).split(' ');
    const distance = Date.now() - asked;
    assert.deepEqual(words.slice(0, 2), ['workerReady', 'worker="W1"']);
    // Both are the time of the event, and not those of the questions.
    assert.ok(Date.parse(time) >= before - 1 && Date.parse(time) <= asked, time);
    assert.ok(
      Math.abs(Date.parse(again) - Date.parse(time)) < distance / 2,
      `${time}, ${again}, ${distance} ms`,
    );
    const following = run('events', '--count', '1');
    // It has begun when it is one of the clients.
    const asking = peers.client();
    await asking.start();
    await until(async () => (await asking.call('mmi.clients')).length === 3);
    let n = 0;
    const ended = until(async () => {
      n += 1;
      await peers.worker(() => {}, { service: 'late', name: `L${n}` }).start();
      return Promise.race([following, new Promise((resolve) => setTimeout(resolve, 50))]);
    });
    const { code, out } = await ended;
    assert.equal(code, 0);
    assert.match(out, /^\S+Z workerReady worker="L\d+" service="late"\n$/);
  });

  test('events go on when the broker is started again, by its process or by another', async (t) => {
    const { broker, peers } = await loaded(t);
    const { child, ended } = cli(t, ['events', '--json', '-b', peers.endpoint, '-t', '2000']);
    const told = [];
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => told.push(JSON.parse(line).worker));
    const first = once(lines, 'line');
    const silences = [];
    createInterface({ input: child.stderr }).on('line', (line) => silences.push(line));
    const names = ['', 'L1', 'L2'];
    const asking = peers.client();
    await asking.start();
    await until(async () => (await asking.call('mmi.clients')).length === 3);
    // Connected is not asked: events before its first question are not told.
    let early = 0;
    await until(() => {
      early += 1;
      const worker = peers.worker(() => {}, { service: 'late', name: `E${early}` });
      return Promise.race([first, worker.start().then(() => new Promise((go) => setTimeout(go, 50)))]);
    });
    let present = broker;
    for (const [n, next] of [
      [1, () => present],
      [2, () => peers.broker()],
    ]) {
      await present.stop();
      await until(() => silences.length === n);
      present = next();
      await present.start();
      await peers.worker(() => {}, { service: 'late', name: names[n] }).start();
      await until(() => told.includes(names[n]));
    }
    for (const line of silences) assert.match(line, /^zmq-omdp: .*; trying again$/);
    child.kill('SIGINT');
    assert.equal((await ended).code, 0);
  });

  test('bench', async (t) => {
    const { json, run } = await loaded(t);
    const result = await json(
      'bench',
      SERVICE,
      '--seconds',
      '0.2',
      '--clients',
      '2',
      '--in-flight',
      '4',
      '--size',
      '8',
    );
    assert.ok(result.ended > 0 && result.perSecond > 0);
    assert.ok(result.p50 > 0 && result.p50 <= result.p95 && result.p95 <= result.p99);
    assert.deepEqual([result.clients, result.inFlight, result.errors], [2, 4, {}]);
    assert.match(
      (await run('bench', SERVICE, '--seconds', '0.1')).out,
      /^service: \d+ requests in 0\.\d s, \d+ a second\n/,
    );
  });

  test('all clients of bench have the timeout of a query', async (t) => {
    const peers = peersFor(t, 'tcp');
    await peers.trio(() => {});
    const args = ['bench', SERVICE, '--seconds', '0.1', '--clients', '2', '--in-flight', '1', '--json'];
    const { code, out } = await cli(t, [...args, '-b', peers.endpoint]).ended;
    const { clients, errors, seconds } = JSON.parse(out);
    assert.deepEqual([code, clients, errors], [1, 2, { C_TIMEOUT: 2 }]);
    assert.ok(seconds < 30, `${seconds} s`);
  });

  test('Ctrl-C ends quietly', async (t) => {
    const { peers } = await loaded(t);
    const { child, ended } = cli(t, ['events', '--all', '-b', peers.endpoint]);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGINT');
    const { code, lines } = await ended;
    assert.deepEqual([code, lines], [0, []]);
  });

  for (const args of [
    ['top', '--interval', '50'],
    // These have nothing to write when the pipe is closed.
    ['top', '--interval', '3600000'],
    ['events', '--all'],
    ['request', 'never', '--count', '2'],
  ]) {
    test(`a closed pipe ends it quietly: ${args.join(' ')}`, async (t) => {
      const { peers } = await loaded(t);
      const serve = (_data, reply) => reply.write('part');
      await peers.worker(serve, { service: 'never' }).start();
      const { child, ended } = cli(t, [...args, '-b', peers.endpoint]);
      await new Promise((resolve) => child.stdout.once('data', resolve));
      child.stdout.destroy();
      const { code, lines } = await ended;
      assert.deepEqual([code, lines], [0, []]);
    });
  }

  test('so does one of a shell', { skip: process.platform === 'win32' }, async (t) => {
    const { peers } = await loaded(t);
    const bin = path.join(__dirname, '..', '..', 'bin', 'zmq-omdp.js');
    const command = `'${process.execPath}' '${bin}' events --all -b '${peers.endpoint}' | head -1; echo end`;
    const { stdout, stderr } = await promisify(execFile)('sh', ['-c', command], { timeout: 60_000 });
    assert.match(stdout, /^\S+Z workerReady worker="W1" .*\nend\n$/);
    assert.equal(stderr, '');
  });
});
