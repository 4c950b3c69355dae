'use strict';
// The monitor's HTTP: what it shows, and to whom.
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { describe, test } = require('node:test');
const { createMonitor } = require('zmq-omdp/monitor');
const { SERVICE, ask, heard, peersFor } = require('../support/peers');
const { until } = require('../support/events');

const ROOT = path.join(__dirname, '..', '..');
const noPromtool = spawnSync('promtool', ['--version']).error !== undefined && 'promtool is not there';

const echo = (data, reply) => {
  if (data === 'fail') reply.error('failed');
  else reply.end(data);
};

/** Serves a monitor until the end of the test, by itself or by a listener that calls it. Returns the base of its URLs. */
async function serve(t, monitor, listener = monitor) {
  const server = http.createServer(listener);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    monitor.close();
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/** A broker with a load of 7 replies and 2 failures, and its monitor. */
async function monitored(t, options, handler = echo) {
  const peers = peersFor(t, 'tcp');
  const { broker, client, worker } = await peers.trio(handler, { worker: { name: 'W1' } });
  const monitor = createMonitor(broker, options?.(client));
  const base = await serve(t, monitor);
  const get = async (where, headers = {}, rest = {}) => {
    const response = await fetch(base + where, { headers, ...rest });
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      response,
      text: await response.text(),
    };
  };
  return { base, broker, client, get, monitor, peers, worker };
}

async function load(client) {
  for (let n = 0; n < 7; n += 1) await ask(client, 'data');
  for (let n = 0; n < 2; n += 1) await ask(client, 'fail');
  await client.call('none', 1, { failFast: true }).catch(() => {});
  await heard(client);
}

/** The value of a line of /metrics. */
function sampleOf(text, line) {
  const found = text.split('\n').find((each) => each.startsWith(`${line} `));
  return found === undefined ? undefined : Number(found.slice(line.length + 1));
}

/** A request whose Host is a name of somebody else. */
function withHost(base, host) {
  return new Promise((resolve, reject) => {
    http
      .get(base, { headers: { Host: host } }, (res) => resolve(res.resume().statusCode))
      .on('error', reject);
  });
}

describe('metrics', () => {
  test('the counts are those of the load, in both formats', async (t) => {
    const { client, get } = await monitored(t);
    await load(client);
    const plain = await get('/metrics');
    assert.equal(plain.type, 'text/plain; version=0.0.4; charset=utf-8');
    const own = `{service="${SERVICE}"}`;
    for (const [line, value] of [
      [`omdp_requests_total${own}`, 9],
      [`omdp_replies_total${own}`, 7],
      [`omdp_failures_total${own}`, 2],
      [`omdp_request_duration_seconds_count${own}`, 9],
      [`omdp_work_duration_seconds_bucket{service="${SERVICE}",le="+Inf"}`, 9],
      [`omdp_request_bytes_total${own}`, 9 * (6 + '{"timeout":60000}'.length)],
      [`omdp_reply_bytes_total${own}`, 7 * 6 + 2 * 8],
      ['omdp_errors_total{service="other",code="W_NONE"}', 1],
      [`omdp_worker_requests_total{service="${SERVICE}",worker="W1"}`, 9],
      [`omdp_worker_failures_total{service="${SERVICE}",worker="W1"}`, 2],
      [`omdp_service_workers${own}`, 1],
      ['omdp_peers{dialect="omdp",role="client"}', 1],
    ]) {
      assert.equal(sampleOf(plain.text, line), value, line);
    }
    const open = await get('/metrics', { Accept: 'application/openmetrics-text; version=1.0.0' });
    assert.match(open.type, /^application\/openmetrics-text/);
    assert.match(open.text, /# TYPE omdp_requests counter\n/);
    assert.match(open.text, /\n# EOF\n$/);
    assert.equal(sampleOf(open.text, `omdp_requests_total${own}`), 9);
  });

  test('the format is the one that the scraper prefers', async (t) => {
    const { get } = await monitored(t);
    const open = 'application/openmetrics-text;version=1.0.0';
    for (const [Accept, wanted] of [
      ['*/*', 'text/plain'],
      [`${open};q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1`, 'application/openmetrics-text'],
      [`text/plain;version=0.0.4;q=0.6, ${open};q=0.5, */*;q=0.1`, 'text/plain'],
      [`${open};q=0, text/plain`, 'text/plain'],
      [`${open};q=0.5, text/*;q=0.9`, 'text/plain'],
      [`${open};q=0.5, */*;q=0.9`, 'text/plain'],
      [`${open};q=0.5, text/plain;q=0.4, */*;q=0.9`, 'application/openmetrics-text'],
      [`${open};q=0.4,${open};q=0.7,text/plain;q=0.5`, 'application/openmetrics-text'],
    ]) {
      const { text, type } = await get('/metrics', { Accept });
      assert.equal(type.split(';')[0], wanted, Accept);
      assert.equal(text.endsWith('# EOF\n'), wanted.includes('openmetrics'), Accept);
    }
  });

  test('promtool finds nothing, before the first peer and after a load', { skip: noPromtool }, async (t) => {
    const { broker, client, get } = await monitored(t);
    await load(client);
    const texts = [(await get('/metrics')).text];
    await broker.stop();
    texts.push((await get('/metrics')).text);
    for (const input of texts) {
      const checked = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
      assert.deepEqual([checked.status, checked.stdout, checked.stderr], [0, '', '']);
    }
  });

  test('the sums of all series are the counts of the broker, with more services than are listed', async (t) => {
    const { broker, client, get } = await monitored(t);
    await load(client);
    for (let n = 0; n < 1500; n += 1) client.call(`invented ${n}`, 1).catch(() => {});
    const stats = await until(async () => {
      const now = await broker.stats();
      return now.queued === 1500 && now;
    });
    const { text } = await get('/metrics');
    const sum = (name) =>
      text
        .split('\n')
        .filter((line) => line.startsWith(`${name}{`))
        .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' '))), 0);
    assert.equal(sum('omdp_queue_requests'), 1500);
    assert.equal(sum('omdp_queue_bytes'), stats.queuedBytes);
    assert.equal(sum('omdp_service_workers'), 1);
    // Waiting requests of services without a worker are not counted yet.
    assert.equal(sum('omdp_requests_total'), stats.counters.requests - 1500);
    assert.equal(sum('omdp_replies_total'), stats.counters.replies);
  });

  test('codes that alerts are about are there before they occur, bounds have no rounding errors', async (t) => {
    const { client, get } = await monitored(t);
    await load(client);
    const { text } = await get('/metrics');
    for (const code of [
      'B_DENIED',
      'B_QUEUE_FULL',
      'C_TIMEOUT',
      'W_LOST',
      'W_NONE',
      'W_REJECTED',
      'W_TIMEOUT',
    ])
      assert.equal(sampleOf(text, `omdp_errors_total{service="${SERVICE}",code="${code}"}`), 0, code);
    const bounds = new Set([...text.matchAll(/,le="([^"+]+)"/g)].map(([, bound]) => bound));
    const powers = Array.from({ length: 21 }, (_, n) => String(2 ** (n + 6) / 1e6));
    assert.deepEqual([...bounds], powers);
  });

  test('the start of the process does not change', async (t) => {
    const { get } = await monitored(t);
    const seen = new Set();
    for (let n = 0; n < 5; n += 1)
      seen.add(sampleOf((await get('/metrics')).text, 'process_start_time_seconds'));
    assert.equal(seen.size, 1);
  });

  test('the alert rules are right, by promtool', { skip: noPromtool }, () => {
    const file = path.join(ROOT, 'deploy', 'prometheus', 'alerts.yml');
    const checked = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
    assert.equal(checked.status, 0, checked.stderr);
  });

  test('names are labels, whatever is in them, and the number of workers is bounded', async (t) => {
    const name = 'a"b\\c\nd';
    const { client, get, peers } = await monitored(t, () => ({ maxWorkers: 1 }));
    for (const service of [name, 'other']) {
      peers.worker(echo, { service }).start();
      await client.call(service, 'data');
    }
    const { text } = await get('/metrics');
    assert.equal(sampleOf(text, 'omdp_service_workers{service="a\\"b\\\\c\\nd"}'), 1);
    assert.match(text, /omdp_worker_running\{service="other",worker="other"\} 0/);
    const lines = text.split('\n').map((line) => line.replace(/ [^ ]*$/, ''));
    assert.equal(
      new Set(lines.filter((line) => line !== '' && line[0] !== '#')).size,
      lines.filter((line) => line !== '' && line[0] !== '#').length,
    );
  });
});

describe('health', () => {
  test('of a broker that runs, and of one that was stopped', async (t) => {
    const { broker, get } = await monitored(t);
    assert.deepEqual([(await get('/healthz')).status, (await get('/readyz')).status], [200, 200]);
    await broker.stop();
    assert.deepEqual([(await get('/healthz')).status, (await get('/readyz')).status], [200, 503]);
  });

  test('of a broker that waits for running requests before it stops', async (t) => {
    let reply;
    const keep = (_data, given) => {
      reply = given;
    };
    const { broker, client, get } = await monitored(t, undefined, keep);
    const called = client.call(SERVICE);
    await until(() => reply);
    const stopped = broker.stop({ timeout: 60_000 });
    assert.deepEqual([(await get('/healthz')).status, (await get('/readyz')).status], [200, 503]);
    reply.end('done');
    assert.equal(await called, 'done');
    await stopped;
  });
});

describe('who may look', () => {
  test('a token is asked for, but for health and the empty page', async (t) => {
    const { get } = await monitored(t, () => ({ token: 'secret' }));
    for (const where of ['/metrics', '/stats.json', '/events', '/nothing']) {
      const { status, response } = await get(where);
      assert.equal(status, 401, where);
      assert.equal(response.headers.get('www-authenticate'), 'Bearer');
      assert.equal((await get(where, { Authorization: 'Bearer secre' })).status, 401);
    }
    for (const where of ['/', '/healthz', '/readyz', '/app.js'])
      assert.equal((await get(where)).status, 200, where);
    const { status, text } = await get('/stats.json', { Authorization: 'Bearer secret' });
    assert.equal(status, 200);
    assert.equal(JSON.parse(text).services[0].name, SERVICE);
  });

  test('a name of another machine is refused, unless it is told otherwise', async (t) => {
    const local = await monitored(t);
    for (const host of [
      'evil.example',
      '127.evil.example',
      '127.0.0.1.evil.example',
      '127.1',
      '[::2]',
      '[localhost]x',
      '::1',
    ])
      assert.equal(await withHost(local.base, host), 403, host);
    assert.equal(await withHost(local.base, '127.0.0.2:80'), 200);
    for (const host of ['localhost:1', 'LOCALHOST', '[::1]:80', '[0:0:0:0:0:0:0:1]', '[::ffff:127.0.0.1]'])
      assert.equal(await withHost(local.base, host), 200, host);
    const remote = await monitored(t, () => ({ remote: true }));
    assert.equal(await withHost(remote.base, 'broker.example'), 200);
  });

  test('other machines are refused behind a proxy of this machine, too', async (t) => {
    const local = await monitored(t);
    for (const [name, value, status] of [
      ['X-Forwarded-For', '192.0.2.1', 403],
      ['X-Forwarded-For', '127.0.0.1, 192.0.2.1', 403],
      ['X-Forwarded-For', 'unknown', 403],
      ['X-Real-IP', '192.0.2.1', 403],
      ['Forwarded', 'proto=https;for=192.0.2.1', 403],
      ['Forwarded', 'for=127.0.0.1, For="[2001:db8::1]:80"', 403],
      ['X-Forwarded-For', '127.0.0.1, ::1', 200],
      ['Forwarded', 'for="[::1]:4711";proto=http, for=127.0.0.1', 200],
      ['Forwarded', 'by=192.0.2.1', 200],
    ]) {
      assert.equal((await local.get('/metrics', { [name]: value })).status, status, `${name}: ${value}`);
    }
    const remote = await monitored(t, () => ({ remote: true }));
    assert.equal((await remote.get('/metrics', { 'X-Forwarded-For': '192.0.2.1' })).status, 200);
  });

  test('every answer forbids scripts of others and framing', async (t) => {
    const { get } = await monitored(t);
    for (const where of ['/', '/metrics', '/nothing']) {
      const { response } = await get(where);
      const policy = response.headers.get('content-security-policy');
      assert.match(policy, /default-src 'none'; script-src 'self'/);
      assert.doesNotMatch(policy, /unsafe/);
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
    }
  });

  test('only GET, and only what there is', async (t) => {
    const { get } = await monitored(t);
    assert.equal((await get('/metrics', {}, { method: 'POST' })).status, 405);
    const head = await get('/events', {}, { method: 'HEAD' });
    assert.deepEqual([head.status, head.type], [200, 'text/event-stream']);
    for (const where of [
      '//',
      '/\\',
      '//x/metrics',
      '/nothing',
      '/page/app.js',
      '/../package.json',
      '/constructor',
    ]) {
      assert.equal((await get(where)).status, 404, where);
    }
  });
});

test('mounted by a framework: the page without its last slash is redirected to its folder', async (t) => {
  const { broker } = await monitored(t);
  const monitor = createMonitor(broker);
  // As express and middie do.
  const base = await serve(t, monitor, (req, res) => {
    req.originalUrl = req.url;
    req.url = req.url.replace(/^\/a\/omdp/, '') || '/';
    monitor(req, res);
  });
  for (const [url, folder] of [
    ['/a/omdp', '/a/omdp/'],
    ['/a/omdp?x=/1', '/a/omdp/?x=/1'],
  ]) {
    const response = await fetch(base + url, { redirect: 'manual' });
    assert.equal(response.status, 302);
    assert.equal(new URL(response.headers.get('location'), base + url).href, base + folder);
  }
  for (const url of ['/a/omdp/', '/', '/a/omdp/style.css'])
    assert.equal((await fetch(base + url, { redirect: 'manual' })).status, 200, url);
});

describe('test requests', () => {
  const JSON_TYPE = { 'Content-Type': 'application/json' };
  const post = (body) => ({ method: 'POST', body: JSON.stringify(body) });

  test('a reply, an error, and no client', async (t) => {
    const { get } = await monitored(t, (client) => ({ client }));
    const replied = JSON.parse(
      (await get('/request', JSON_TYPE, post({ service: SERVICE, data: { a: 1 } }))).text,
    );
    assert.deepEqual([replied.parts, replied.final], [[], { a: 1 }]);
    const failed = JSON.parse(
      (await get('/request', JSON_TYPE, post({ service: SERVICE, data: 'fail' }))).text,
    );
    assert.deepEqual(failed.error, { message: 'failed', value: 'failed' });
    const none = JSON.parse((await get('/request', JSON_TYPE, post({ service: 'none' }))).text);
    assert.equal(none.error.code, 'W_NONE');
    const without = await monitored(t);
    assert.equal((await without.get('/request', JSON_TYPE, post({ service: SERVICE }))).status, 404);
  });

  test('the final is always shown, and parts up to a number', async (t) => {
    const parts = (count, reply) => {
      for (let n = 0; n < count; n += 1) reply.write(n % 2 ? n : null);
      if (count === 3) reply.error('failed');
      else reply.end(count === 0 ? null : 'final');
    };
    const { get } = await monitored(t, (client) => ({ client }), parts);
    const asked = async (data) =>
      JSON.parse((await get('/request', JSON_TYPE, post({ service: SERVICE, data }))).text);
    const { ms: _, ...none } = await asked(0);
    assert.deepEqual(none, { parts: [], final: null });
    const { ms: __, ...two } = await asked(2);
    assert.deepEqual(two, { parts: [null, 1], final: 'final' });
    const { ms: ___, ...failed } = await asked(3);
    assert.deepEqual(failed, { parts: [null, 1, null], error: { message: 'failed', value: 'failed' } });
    const many = await asked(151);
    assert.deepEqual([many.parts.length, many.partsNotShown, many.final], [100, 51, 'final']);
  });

  test('what is wrong with one', async (t) => {
    const { get } = await monitored(t, (client) => ({ client }));
    for (const [body, message] of [
      ['{', /JSON/],
      ['null', /^a test request must be an object, got null/],
      ['{"service":1}', /^service must be a string/],
      ['{"service":"x","timeout":"soon"}', /^option "timeout" must be a number/],
    ]) {
      const { status, text } = await get('/request', JSON_TYPE, { method: 'POST', body });
      assert.equal(status, 200);
      assert.match(JSON.parse(text).error.message, message);
    }
    const body = JSON.stringify({ service: 'x'.repeat(2 ** 21) });
    assert.equal((await get('/request', JSON_TYPE, { method: 'POST', body })).status, 413);
  });

  test('one that is abandoned is cancelled', async (t) => {
    let reply;
    const keep = (_data, given) => {
      reply = given;
    };
    const { base } = await monitored(t, (client) => ({ client }), keep);
    const body = JSON.stringify({ service: SERVICE });
    const request = http.request(`${base}/request`, { method: 'POST', headers: JSON_TYPE });
    request.on('error', () => {});
    request.end(body);
    await until(() => reply);
    request.destroy();
    await until(() => !reply.active());
    reply.end();
  });

  test('one whose body the framework has read, or only set', async (t) => {
    const { broker, client } = await monitored(t);
    const monitor = createMonitor(broker, { client });
    const wanted = { service: SERVICE, data: 5 };
    const asText = JSON.stringify(wanted);
    for (const [sent, body] of [
      ['{}', wanted],
      ['{}', asText],
      ['{}', Buffer.from(asText)],
      [asText, {}],
    ]) {
      const base = await serve(t, monitor, (req, res) => monitor(Object.assign(req, { body }), res));
      const response = await fetch(`${base}/request`, { method: 'POST', headers: JSON_TYPE, body: sent });
      assert.deepEqual((await response.json()).final, 5);
    }
  });

  test('a page of another site can make none', async (t) => {
    const { get } = await monitored(t, (client) => ({ client }));
    const body = post({ service: SERVICE });
    assert.equal((await get('/request', { 'Content-Type': 'text/plain' }, body)).status, 403);
    assert.equal((await get('/request', { ...JSON_TYPE, Origin: 'http://evil.example' }, body)).status, 403);
    assert.equal((await get('/request', { ...JSON_TYPE, 'Sec-Fetch-Site': 'cross-site' }, body)).status, 403);
  });

  test('the page can, also behind a proxy that changes the host', async (t) => {
    const { get } = await monitored(t, (client) => ({ client }));
    const headers = { ...JSON_TYPE, Origin: 'https://proxy.example', 'Sec-Fetch-Site': 'same-origin' };
    const { text } = await get('/request', headers, post({ service: SERVICE, data: 5 }));
    assert.equal(JSON.parse(text).final, 5);
  });
});

test('events are told as they happen', async (t) => {
  const { base, peers } = await monitored(t, () => ({ interval: 100 }));
  const response = await fetch(`${base}/events`);
  const told = [];
  (async () => {
    let text = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const parts = text.split('\n\n');
      text = parts.pop();
      for (const part of parts) {
        const [, event, data] = /^event: ([^\n]*)\ndata: ([^\n]*)$/.exec(part);
        told.push([event, JSON.parse(data)]);
      }
    }
  })().catch(() => {});
  await until(() => told.some(([event]) => event === 'hello'));
  await peers.worker(echo, { service: 'late', name: 'W2' }).start();
  const [, happened] = await until(() =>
    told.find(([event, { payload }]) => event === 'event' && payload?.service === 'late'),
  );
  const { address, ...payload } = happened.payload;
  assert.deepEqual([happened.event, payload], ['workerReady', { worker: 'W2', service: 'late' }]);
  assert.match(address, /^127\.0\.0\.1:\d+$/);
  await until(() => told.some(([event, { totals }]) => event === 'stats' && totals.services === 2));
});

test('readers that have left are forgotten, also if a framework has read their requests', async (t) => {
  const { broker } = await monitored(t);
  const monitor = createMonitor(broker, { interval: 100 });
  const base = await serve(t, monitor, (req, res) => {
    req.resume().once('close', () => monitor(req, res));
  });
  const read = async () => {
    const leaving = new AbortController();
    const { status, body } = await fetch(`${base}/events`, { signal: leaving.signal });
    const { value } = await body.values().next();
    leaving.abort();
    return [status, Buffer.from(value).toString().slice(0, 12)];
  };
  // More than may read at the same time.
  for (let n = 0; n < 70; n += 1) assert.deepEqual(await read(), [200, 'event: hello'], `reader ${n}`);
});

test('any number of monitors has one set of listeners, which the last takes along', async (t) => {
  const warnings = [];
  const warned = ({ message }) => warnings.push(message);
  process.on('warning', warned);
  t.after(() => process.off('warning', warned));
  const broker = peersFor(t).broker();
  const before = broker.listenerCount('workerReady');
  const monitors = Array.from({ length: 12 }, () => createMonitor(broker));
  assert.equal(broker.listenerCount('workerReady'), before + 1);
  await new Promise(setImmediate);
  for (const monitor of monitors) monitor.close();
  monitors[0].close();
  assert.equal(broker.listenerCount('workerReady'), before);
  assert.deepEqual(warnings, []);
});

/** The first page that a reader is sent. */
async function firstPage(base) {
  const response = await fetch(`${base}/events`);
  let text = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const [, data] = /event: stats\ndata: ([^\n]*)\n\n/.exec(text) ?? [];
    if (data !== undefined) return JSON.parse(data);
  }
}

test('rates are those since the monitor was made, also of a broker that starts later', async (t) => {
  const { base, client } = await monitored(t);
  await load(client);
  const { services } = await firstPage(base);
  assert.deepEqual(
    services.rows.map(({ name, recent }) => [name, recent.failed]),
    [
      [SERVICE, 2],
      [null, 1],
    ],
  );
  const peers = peersFor(t, 'tcp');
  const broker = peers.broker();
  const monitor = createMonitor(broker);
  const later = await serve(t, monitor);
  const second = peers.client();
  await Promise.all([broker.start(), peers.worker(echo).start(), second.start()]);
  await load(second);
  const [own] = (await firstPage(later)).services.rows;
  assert.deepEqual([own.name, own.recent.failed], [SERVICE, 2]);
});

test('a service whose worker returns has no load', async (t) => {
  const { broker, client, peers, worker } = await monitored(t);
  await load(client);
  await worker.stop();
  const late = createMonitor(broker, { interval: 100 });
  const base = await serve(t, late);
  await firstPage(base);
  await peers.worker(echo).start();
  // A page may have been made just before.
  let row;
  do [row] = (await firstPage(base)).services.rows;
  while (row.workers === 0);
  const { name, workers, counters, recent } = row;
  assert.deepEqual([name, workers, counters.requests], [SERVICE, 1, 9]);
  assert.deepEqual(recent, { perSecond: 0, failed: 0, p50: 0, p95: 0, p99: 0 });
});

test('bad arguments', async (t) => {
  const broker = peersFor(t).broker();
  assert.throws(() => createMonitor(), /broker must be a Broker/);
  for (const [options, message] of [
    [{ token: '' }, /"token" must be a non-empty string, got string/],
    [{ token: 'schlüssel' }, /"token" must consist of visible characters of ASCII$/],
    [{ token: 'in two' }, /"token" must consist of visible characters of ASCII$/],
    [{ remote: 1 }, /"remote" must be a boolean/],
    [{ client: {} }, /"client" must be a Client/],
    [{ interval: 1 }, /"interval" must be an integer of 100 or more/],
    [{ nope: 1 }, /unknown option "nope"/],
  ]) {
    assert.throws(() => createMonitor(broker, options), message);
  }
  assert.doesNotThrow(() => createMonitor(broker, { nope: undefined }));
});

test('the charts library is the one of npm, with its licence', () => {
  const npm = path.join(path.dirname(require.resolve('uplot/package.json')));
  for (const [file, original] of [
    ['uPlot.iife.min.js', 'dist/uPlot.iife.min.js'],
    ['uPlot.min.css', 'dist/uPlot.min.css'],
    ['uPlot.LICENSE', 'LICENSE'],
  ]) {
    const [packed, there] = [path.join(ROOT, 'lib', 'monitor', 'vendor', file), path.join(npm, original)];
    assert.deepEqual(fs.readFileSync(packed), fs.readFileSync(there), file);
  }
});
