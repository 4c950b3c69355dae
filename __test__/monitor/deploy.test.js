'use strict';
// The files in deploy/: what a linter of theirs, or the command line itself, says of them.
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { readSettings } = require('../../lib/cli/settings');
const { options } = require('../../lib/cli/broker');
const { Renderer } = require('../../lib/monitor/prometheus');
const { SERVICE, peersFor } = require('../support/peers');

const DEPLOY = path.join(__dirname, '..', '..', 'deploy');
const read = (file) => fs.readFileSync(path.join(DEPLOY, file), 'utf8');
const missing = (program) =>
  spawnSync(program, ['--version']).error !== undefined && `${program} is not there`;

test('the flags of the unit, the image and the manifests are those of the broker', () => {
  const [unit] = read('systemd/zmq-omdp.service').match(/zmq-omdp broker .*/);
  const image = JSON.parse(read('docker/Dockerfile').match(/^CMD (\[.*\])$/m)[1]);
  const manifest = [...read('kubernetes/broker.yaml').matchAll(/^ +- (broker|--\S+)$/gm)].map(
    ([, arg]) => arg,
  );
  for (const args of [unit.split(' ').slice(1), image, manifest]) {
    const [command, ...flags] = args;
    assert.equal(command, 'broker');
    const { settings, positionals } = readSettings(options, flags, {});
    assert.equal(settings.bind.length, 1);
    assert.match(settings.http, /:9464$/);
    assert.deepEqual(positionals, []);
  }
});

test('systemd finds nothing wrong with the unit', { skip: missing('systemd-analyze') }, (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-unit-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'zmq-omdp.service');
  fs.writeFileSync(file, read('systemd/zmq-omdp.service'));
  const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
  const own = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('zmq-omdp.service'));
  assert.deepEqual(own, []);
});

test('Kubernetes’s schemas take the manifests', { skip: missing('kubernetes-validate') }, () => {
  const file = path.join(DEPLOY, 'kubernetes', 'broker.yaml');
  const { status, stdout, stderr } = spawnSync('kubernetes-validate', ['--strict', file], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, `${stdout}${stderr}`);
});

test('hadolint finds nothing in the Dockerfile', { skip: missing('hadolint') }, () => {
  const file = path.join(DEPLOY, 'docker', 'Dockerfile');
  const { status, stdout } = spawnSync('hadolint', ['--no-color', file], { encoding: 'utf8' });
  assert.deepEqual([status, stdout], [0, '']);
});

test('the metrics that the dashboard and the alerts ask for are there', async (t) => {
  const { broker, client } = await peersFor(t).trio();
  await client.call(SERVICE);
  const stats = await broker.stats();
  const text = new Renderer({ version: '1', maxWorkers: 10 }).render(stats, false);
  const has = new Set([...text.matchAll(/^([a-z_]+)(?:\{| )/gm)].map(([, name]) => name));
  const asked = `${read('grafana/dashboard.json')}${read('prometheus/alerts.yml')}`;
  const names = new Set(asked.match(/\b(?:omdp|process)_[a-z_]+\b/g));
  assert.ok(names.size > 15);
  for (const name of names) assert.ok(has.has(name), name);
});

test('the first loss of a worker is an alert, as is a queue without workers', {
  skip: missing('promtool'),
}, (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-alerts-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const series = (name, values) => ({ series: name, values });
  const none = (alertname, minutes) => ({ eval_time: `${minutes}m`, alertname, exp_alerts: [] });
  const fires = (alertname, minutes, exp_labels, summary) => {
    return {
      eval_time: `${minutes}m`,
      alertname,
      exp_alerts: [{ exp_labels, exp_annotations: { summary } }],
    };
  };
  const lost = { service: 's', code: 'W_LOST', severity: 'warning' };
  const waiting = { service: 'q', severity: 'critical' };
  const rules = {
    rule_files: [path.join(DEPLOY, 'prometheus', 'alerts.yml')],
    evaluation_interval: '1m',
    tests: [
      {
        interval: '1m',
        input_series: [
          series('omdp_errors_total{service="s",code="W_LOST"}', '0 0 0 1 1 1 1'),
          series('omdp_service_workers{service="q"}', '1 1 0 0 0 0 0'),
          series('omdp_queue_requests{service="q"}', '5 5 5 5 5 5 5'),
        ],
        alert_rule_test: [
          none('OmdpWorkersLost', 2),
          fires('OmdpWorkersLost', 4, lost, 'Workers of s were lost with requests.'),
          none('OmdpNoWorker', 1),
          fires('OmdpNoWorker', 4, waiting, 'Requests for q wait, and it has no worker.'),
        ],
      },
    ],
  };
  const file = path.join(folder, 'test.yml');
  fs.writeFileSync(file, JSON.stringify(rules));
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
});

test('promtool takes the queries of the dashboard', { skip: missing('promtool') }, (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-rules-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const { panels } = JSON.parse(read('grafana/dashboard.json'));
  const rules = panels
    .flatMap(({ targets }) => targets)
    .map(({ expr }, n) => ({ record: `q${n}`, expr: expr.replaceAll('$__rate_interval', '1m') }));
  const file = path.join(folder, 'rules.yml');
  fs.writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
  const { status, stderr } = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
});
