'use strict';
// What the command line does about mistakes, and what its broker says and shows.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { describe, test } = require('node:test');
const { Worker, curveKeyPair } = require('../..');
const { cli, cliEnd } = require('../support/cli');
const { freshEndpoint } = require('../support/endpoints');
const { SERVICE, peersFor, start } = require('../support/peers');

function folderFor(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-care-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  return folder;
}

describe('mistakes', () => {
  test('the nearest right word is named', async (t) => {
    for (const [args, meant] of [
      [['brokr'], /unknown command "brokr"; did you mean "broker"\?/],
      [['broker', '--hartbeat', '5'], /unknown option "--hartbeat"; did you mean "--heartbeat"\?/],
      [['request', 's', '--fail-fats'], /did you mean "--fail-fast"\?/],
      [['bench', 's', '--inflight', '3'], /did you mean "--in-flight"\?/],
      [['request', 's', '--borker', 'x'], /did you mean "--broker"\?/],
      [['request', 's', '--time', '5'], /did you mean "--timeout"\?/],
      [['ls', '-timeout', '5'], /^zmq-omdp: unknown option "-timeout"; did you mean "--timeout"\?$/],
      [['ls', '-broker=tcp://x'], /^zmq-omdp: unknown option "-broker"; did you mean "--broker"\?$/],
      [['ls', '--name', '--x'], /^zmq-omdp: --name needs a value$/],
      [['ls', '-json'], /^zmq-omdp: unknown option "-json"; did you mean "--json"\?$/],
      [['ls', '-x'], /^zmq-omdp: unknown option "-x"$/],
      [['--hlep'], /did you mean "--help"\?/],
    ]) {
      const { code, lines } = await cliEnd(args);
      assert.deepEqual([code, lines.length], [2, 1]);
      assert.match(lines[0], meant);
    }
  });

  test('a key file that is bad is named with its flag', async (t) => {
    const folder = folderFor(t);
    const [bad, none] = [path.join(folder, 'bad'), path.join(folder, 'none')];
    fs.writeFileSync(bad, 'not a key\n');
    for (const [file, message] of [
      [bad, /the file of --curve-secret-key-file must be a key: 40 characters of Z85, got 9 characters$/],
      [none, /cannot read the secret of --curve-secret-key-file: ENOENT/],
    ]) {
      const { code, lines } = await cliEnd(['broker', '--curve-secret-key-file', file]);
      assert.equal(code, 2);
      assert.match(lines[0], message);
      assert.doesNotMatch(lines[0], /not a key/);
    }
  });

  test('a key may begin with a dash', async (t) => {
    const key = `-${'a'.repeat(39)}`;
    const { secretKey } = curveKeyPair();
    const env = { ZMQ_OMDP_CURVE_SECRET_KEY: secretKey };
    const args = ['request', 's', '-b', freshEndpoint('tcp'), '-t', '50', '--curve-server-key', key];
    const { code, lines } = await cli(t, args, { env }).ended;
    assert.deepEqual([code, lines.length], [1, 1]);
    assert.match(lines[0], /^zmq-omdp: C_TIMEOUT: no reply from service "s" within 50 ms: no broker at tcp:/);
  });

  test('so it may with two, and a flag is still missed after its predecessor', async (t) => {
    const key = `--${'a'.repeat(38)}`;
    const { secretKey } = curveKeyPair();
    const env = { ZMQ_OMDP_CURVE_SECRET_KEY: secretKey };
    const args = ['request', 's', '-b', freshEndpoint('tcp'), '-t', '50', '--curve-server-key'];
    const { code, lines } = await cli(t, [...args, key], { env }).ended;
    assert.deepEqual([code, lines.length], [1, 1]);
    assert.match(lines[0], /^zmq-omdp: C_TIMEOUT: no reply from service "s" within 50 ms: no broker at tcp:/);
    const missing = await cli(t, [...args, '--fail-fast'], { env }).ended;
    assert.equal(missing.code, 2);
    assert.match(missing.lines[0], /--curve-server-key/);
  });

  test('a value that is wrong is named as it was given', async (t) => {
    const folder = folderFor(t);
    const file = path.join(folder, 'conf.json');
    fs.writeFileSync(file, '{"heartbeat":-5}');
    for (const [args, env, message] of [
      [['ls', '--broker='], {}, /^zmq-omdp: --broker must be a non-empty string, got ""$/],
      [
        ['broker'],
        { ZMQ_OMDP_BIND: ',' },
        /^zmq-omdp: ZMQ_OMDP_BIND\[0\] must be a non-empty string, got ""$/,
      ],
      [['broker', '--max-queue', '1.5'], {}, /^zmq-omdp: --max-queue must be an integer of 0 or more/],
      [['ls', '--heartbeat', '0'], {}, /^zmq-omdp: --heartbeat must be a number/],
      [['ls'], { ZMQ_OMDP_HEARTBEAT: '0' }, /^zmq-omdp: ZMQ_OMDP_HEARTBEAT must be a number/],
      [['ls'], { ZMQ_OMDP_CURVE_SECRET_KEY: 'bad' }, /^zmq-omdp: ZMQ_OMDP_CURVE_SECRET_KEY must be a key/],
      [
        ['broker'],
        { ZMQ_OMDP_LOG_FORMAT: 'x' },
        /^zmq-omdp: ZMQ_OMDP_LOG_FORMAT must be plain or json, got "x"$/,
      ],
      [['ls', '--protocol', 'mdp/0.3'], {}, /^zmq-omdp: --protocol must be one of .*, got "mdp\/0\.3"$/],
      [['broker', '-c', file], {}, /^zmq-omdp: "heartbeat" in the config file must be a number/],
    ]) {
      const { code, lines } = await cliEnd(args, env);
      assert.deepEqual([code, lines.length], [2, 1]);
      assert.match(lines[0], message);
    }
  });

  test('a command that is not there is refused at the start', {
    skip: process.platform === 'win32',
  }, async (t) => {
    const { code, lines } = await cli(t, ['worker', 's', '--', 'no-such-command']).ended;
    assert.equal(code, 2);
    assert.match(lines[0], /COMMAND "no-such-command" does not exist or cannot be run/);
  });

  test('a log line has no undefined in it', async (t) => {
    const { broker } = await peersFor(t, 'tcp').trio();
    const worker = cli(t, ['worker', 's', '-b', broker.endpoints[0], '--verbose', '--', process.execPath]);
    await new Promise((resolve) => {
      broker.on('workerReady', ({ service }) => service === 's' && resolve());
    });
    worker.child.kill('SIGTERM');
    const { lines } = await worker.ended;
    assert.match(lines.join('\n'), /INFO stopped/);
    assert.doesNotMatch(lines.join('\n'), /undefined/);
  });
});

describe('request', () => {
  test('with headers, several times', async (t) => {
    const peers = peersFor(t, 'tcp');
    await peers.trio((_data, reply, { headers }) => reply.end(headers));
    const args = [
      'request',
      SERVICE,
      'x',
      '-b',
      peers.endpoint,
      '-H',
      'a=1=2,3',
      '--header',
      'b=',
      '--count',
      '2',
    ];
    const { code, out } = await cli(t, args).ended;
    const line = '{"a":"1=2,3","b":""}\n';
    assert.deepEqual([code, String(out)], [0, line + line]);
  });

  test('--stream: stdin goes in, and the reply comes no faster than it is read', async (t) => {
    const peers = peersFor(t, 'tcp');
    const [broker, worker] = [peers.broker(), peers.worker()];
    const part = 'x'.repeat(64 * 1024);
    let written = 0;
    let full;
    const stalled = new Promise((resolve) => {
      full = resolve;
    });
    worker.on('request', async (data, reply) => {
      for (let n = 0; n < Number(data); n += 1) {
        written += 1;
        if (reply.write(part)) continue;
        full();
        await new Promise((resolve) => reply.once('drain', resolve));
      }
      reply.end('end');
    });
    await start(broker, worker);
    const args = ['request', SERVICE, '--stream', '-b', peers.endpoint];
    const { child, ended } = cli(t, args, { input: '200' });
    child.stdout.pause();
    await stalled;
    assert.ok(written < 200, `${written}`);
    child.stdout.resume();
    const { code, out, lines } = await ended;
    assert.deepEqual([code, out.length, lines], [0, 200 * part.length + 3, []]);
  });

  test('--stream: an error value, and a reader that goes', async (t) => {
    const peers = peersFor(t, 'tcp');
    await peers.trio((data, reply) => {
      reply.write('part\n');
      if (data === 'fail') reply.error('failed');
    });
    const failed = await cli(t, ['request', SERVICE, 'fail', '--stream', '-b', peers.endpoint]).ended;
    assert.deepEqual([failed.code, String(failed.out), failed.lines], [1, 'part\n', ['zmq-omdp: failed']]);
    const { child, ended } = cli(t, ['request', SERVICE, 'go on', '--stream', '-b', peers.endpoint]);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.stdout.destroy();
    child.kill('SIGINT');
    const { lines } = await ended;
    assert.deepEqual(lines, []);
  });

  test('an error value that is null, or another value that is false, is a failure', async (t) => {
    const peers = peersFor(t, 'tcp');
    await peers.trio((data, reply) => reply.error(JSON.parse(data)));
    for (const value of ['null', 'false', '0', '""'])
      for (const flags of [[], ['--stream'], ['--json']]) {
        const data = flags[0] === '--json' ? JSON.stringify(value) : value;
        const input = flags[0] === '--stream' ? value : '';
        const args = ['request', SERVICE, ...(input === '' ? [data] : []), ...flags, '-b', peers.endpoint];
        const { code, out, lines } = await cli(t, args, { input }).ended;
        const shown = flags[0] !== '--json' && value === '""' ? '' : value;
        assert.deepEqual([code, String(out)], [1, ''], `${value} ${flags}`);
        assert.ok(lines.includes(`zmq-omdp: ${shown}`), lines.join('\n'));
      }
  });

  test('stdin that was not asked for is said so', { skip: process.platform === 'win32' }, async (t) => {
    const peers = peersFor(t, 'tcp');
    await peers.trio();
    const folder = folderFor(t);
    const file = path.join(folder, 'input');
    fs.writeFileSync(file, 'text');
    const bin = path.join(__dirname, '..', '..', 'bin', 'zmq-omdp.js');
    const { execFile } = require('node:child_process');
    const command = `'${process.execPath}' '${bin}' request ${SERVICE} -b '${peers.endpoint}'`;
    const stderrOf = (script) =>
      new Promise((resolve) => {
        execFile('sh', ['-c', script], (_error, _out, err) => resolve(err));
      });
    const note = 'zmq-omdp: stdin is not read; give - as DATA to send it\n';
    const withData = 'zmq-omdp: stdin is not read, because DATA is given; give - as DATA to send it\n';
    assert.equal(await stderrOf(`${command} < '${file}'`), note);
    assert.equal(await stderrOf(`echo text | ${command} data`), withData);
    for (const script of [`echo text | ${command} -`, `${command} data < /dev/null`])
      assert.equal(await stderrOf(script), '');
  });
});

describe('the broker', () => {
  test('takes the mode of a socket file as chmod does', { skip: process.platform === 'win32' }, async (t) => {
    const file = path.join(folderFor(t), 'socket');
    const broker = cli(t, ['broker', '-b', `ipc://${file}`, '--ipc-mode', '0600', '--log-format', 'json']);
    await broker.logged('listening');
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    const { code, lines } = await cli(t, ['broker', '--ipc-mode', '68']).ended;
    assert.deepEqual(
      [code, lines],
      [2, ['zmq-omdp: --ipc-mode must be an octal number such as 660, got "68"']],
    );
  });

  test('says where it listens, and with --debug what became of each request', async (t) => {
    const endpoint = freshEndpoint('tcp');
    const broker = cli(t, ['broker', '-b', endpoint, '--debug', '--log-format', 'json']);
    const { endpoints } = await broker.logged('listening');
    assert.deepEqual(endpoints, [endpoint]);
    const peers = peersFor(t, 'tcp', endpoint);
    const [worker, client] = [
      peers.worker((data, reply) => reply.end(data), { name: 'W1' }),
      peers.client({ name: 'C1' }),
    ];
    await Promise.all([worker.start(), client.start()]);
    await client.call(SERVICE, 1);
    const { service, client: from, worker: by, outcome, queue, work, rid } = await broker.logged('request');
    assert.deepEqual([service, from, by, outcome], [SERVICE, 'C1', 'W1', 'ok']);
    assert.ok(queue >= 0 && work >= 0 && rid.length > 0);
  });

  test('with --log-requests logs requests, and nothing else that --debug logs', async (t) => {
    const endpoint = freshEndpoint('tcp');
    const broker = cli(t, ['broker', '-b', endpoint, '--log-requests', '--log-format', 'json']);
    await broker.logged('listening');
    const peers = peersFor(t, 'tcp', endpoint);
    const [worker, client] = [peers.worker((data, reply) => reply.end(data)), peers.client()];
    await Promise.all([worker.start(), client.start()]);
    await client.call(SERVICE, 1);
    await broker.logged('request');
    broker.child.kill('SIGTERM');
    const { lines } = await broker.ended;
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).event),
      ['listening', 'request'],
    );
  });

  test('takes the policies of services from its config file', async (t) => {
    const file = path.join(folderFor(t), 'conf.json');
    const args = ['broker', '-c', file, '-b', freshEndpoint('tcp'), '--log-format', 'json', '--debug'];
    const services = { render: { balance: 'least-loaded' }, slow: { rate: { max: 1, interval: 1000 } } };
    fs.writeFileSync(file, JSON.stringify({ services }));
    assert.deepEqual((await cli(t, args).logged('configured')).services, services);
    fs.writeFileSync(file, JSON.stringify({ services: { render: { balance: 'fair' } } }));
    const { code, lines } = await cli(t, args).ended;
    assert.deepEqual([code, lines.length], [2, 1]);
    assert.match(lines[0], /balance must be .*"fair"/);
  });

  test('says it without --verbose, and nothing else', async (t) => {
    const endpoint = freshEndpoint('tcp');
    const broker = cli(t, ['broker', '-b', endpoint, '--log-format', 'json']);
    await broker.logged('listening');
    broker.child.kill('SIGTERM');
    const { code, lines } = await broker.ended;
    assert.deepEqual([code, lines.length], [0, 1]);
  });

  test('--http', async (t) => {
    const token = path.join(folderFor(t), 'token');
    fs.writeFileSync(token, 'secret\n');
    const args = ['broker', '-b', freshEndpoint('tcp'), '--http', '127.0.0.1:0', '--log-format', 'json'];
    const broker = cli(t, [...args, '--http-token-file', token]);
    const { url } = await broker.logged('http');
    assert.equal((await fetch(`${url}readyz`)).status, 200);
    assert.equal((await fetch(`${url}metrics`)).status, 401);
    const metrics = await fetch(`${url}metrics`, { headers: { Authorization: 'Bearer secret' } });
    assert.match(await metrics.text(), /omdp_build_info/);
    const { body } = await fetch(`${url}events`, { headers: { Authorization: 'Bearer secret' } });
    const { value } = await body.values().next();
    assert.deepEqual(
      JSON.parse(/^data: (.*)$/m.exec(Buffer.from(value).toString())[1]).events.map(({ event }) => event),
      ['start'],
    );
    broker.child.kill('SIGTERM');
    const { code, lines } = await broker.ended;
    assert.equal(code, 0, lines.join('\n'));
  });

  test('--http with its bound on workers and its interval', async (t) => {
    const endpoint = freshEndpoint('tcp');
    const args = ['broker', '-b', endpoint, '--http', '127.0.0.1:0', '--verbose', '--log-format', 'json'];
    const broker = cli(t, [...args, '--http-max-workers', '1', '--http-interval', '100']);
    const { url } = await broker.logged('http');
    for (const name of ['A', 'B', 'C']) {
      const worker = new Worker(endpoint, 's', { name });
      t.after(() => worker.stop());
      worker.on('request', (_data, reply) => reply.end());
      const isReady = broker.logged('workerReady', true);
      await worker.start();
      // A worker's start is over before the broker has it.
      await isReady;
    }
    const metrics = await (await fetch(`${url}metrics`)).text();
    const series = [...metrics.matchAll(/^omdp_worker_running\{.*worker="(\w+)"\}/gm)];
    assert.deepEqual(series.map(([, name]) => name).sort(), ['A', 'other']);
    const post = { method: 'POST', headers: { 'Content-Type': 'application/json' } };
    const ask = async (service) =>
      (await fetch(`${url}request`, { ...post, body: JSON.stringify({ service }) })).json();
    const { ms, ...outcome } = await ask('s');
    assert.deepEqual(outcome, { parts: [], final: null });
    assert.equal((await ask('none')).error.code, 'W_NONE');
    broker.child.kill('SIGTERM');
    assert.equal((await broker.ended).code, 0);
  });

  test('--http that can’t be', async (t) => {
    const plain = ['broker', '-b', freshEndpoint('tcp')];
    for (const [args, message] of [
      [['--http-max-workers', '1'], /--http-max-workers requires --http$/],
      [
        ['--http', '127.0.0.1:0', '--http-interval', '99'],
        /--http-interval must be an integer of 100 or more/,
      ],
    ]) {
      const { code, lines } = await cliEnd([...plain, ...args]);
      assert.deepEqual([code, lines.length], [2, 1]);
      assert.match(lines[0], message);
    }

    const token = path.join(folderFor(t), 'token');
    fs.writeFileSync(token, 'in two');
    const wrong = 'must consist of visible characters of ASCII';
    for (const [args, env, where] of [
      [['--http-token-file', token], {}, 'the content of the file of --http-token-file'],
      [[], { ZMQ_OMDP_HTTP_TOKEN: 'in two' }, 'ZMQ_OMDP_HTTP_TOKEN'],
    ]) {
      const { code, lines } = await cliEnd([...plain, '--http', '127.0.0.1:0', ...args], env);
      assert.deepEqual([code, lines], [2, [`zmq-omdp: ${where} ${wrong}`]]);
    }

    for (const [value, code, message] of [
      ['9464', 2, /--http must be HOST:PORT/],
      ['127.0.0.1:99999', 2, /--http must be HOST:PORT/],
      ['192.0.2.1:1', 1, /--http: .*EADDRNOTAVAIL/],
    ]) {
      const { code: got, lines } = await cli(t, ['broker', '-b', freshEndpoint('tcp'), '--http', value])
        .ended;
      assert.equal(got, code);
      assert.match(lines.at(-1), message);
    }
  });
});
