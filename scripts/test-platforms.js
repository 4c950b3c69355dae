'use strict';
// `npm run test:platforms`: the binaries of `npm run build:all`, run on this Linux machine with a Node.js of their
// platform (see foreign.js). `-- linux-arm64-gnu` names platforms; `--smoke` sends a request there and back and leaves it
// at that; files of tests can be named too (`client/client.test.js`).
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { stripVTControlCharacters } = require('node:util');
const { BINARIES } = require('./build-all.js');
const { foreignNode, versionOf } = require('./foreign.js');
const { testFiles } = require('./js-tests.js');
const { platforms, root } = require('./platforms.js');
const { seconds } = require('./run.js');

const RUNNABLE = platforms().filter(({ os }) => os === 'linux');
const SMOKE_LIMIT = 120_000;
const SUITE_LIMIT = 3_600_000;

const SMOKE = `
const { Broker, Worker, Client } = require('.');
async function talk() {
  const broker = new Broker('tcp://127.0.0.1:*');
  await broker.start();
  const [endpoint] = broker.endpoints;
  const [worker, client] = [new Worker(endpoint, 'echo'), new Client(endpoint)];
  worker.on('request', (data, reply) => reply.end(data));
  await Promise.all([worker.start(), client.start()]);
  const echo = await client.call('echo', 'hello');
  await Promise.all([client.stop(), worker.stop(), broker.stop()]);
  if (echo !== 'hello') throw new Error('got ' + echo);
}
talk();
`;

/**
 * @param {import('./platforms.js').Platform} platform
 * @param {string[] | undefined} files undefined: the smoke test alone
 */
function test(platform, files) {
  const binary = path.join(BINARIES, platform.file);
  if (!fs.existsSync(binary))
    return { result: `there is no binary: npm run build:all -- ${platform.suffix}` };
  const program = foreignNode(platform);
  const version = versionOf(program);
  if (!version) return { result: `${program} does not start` };
  const env = { ...process.env, ZMQ_OMDP_BINARY: binary };
  /** @param {string[]} args @param {number} timeout */
  const node = (args, timeout) =>
    spawnSync(program, args, { cwd: root, env, timeout, encoding: 'utf8', maxBuffer: 2 ** 28 });
  const smoke = node(['-e', SMOKE], SMOKE_LIMIT);
  if (smoke.status !== 0) return { version, result: `the smoke test failed:\n${smoke.stderr}` };
  if (!files) return { version, result: 'smoke test passed', passed: true };

  const { status, stdout, stderr } = node(['scripts/js-tests.js', ...files], SUITE_LIMIT);
  const output = stripVTControlCharacters(`${stdout}${stderr}`);
  const log = path.join(BINARIES, `${platform.suffix}.log`);
  fs.writeFileSync(log, output);
  /** @param {string} what */
  const count = (what) => {
    const lines = output.matchAll(new RegExp(`^ℹ ${what} (\\d+)$`, 'gm'));
    return [...lines].reduce((sum, [, number]) => sum + Number(number), 0);
  };
  const counts = `${count('pass')} passed, ${count('fail')} failed, ${count('skipped')} skipped`;
  const passed = status === 0;
  return { version, passed, result: passed ? counts : `${counts}: ${path.relative(root, log)}` };
}

function main() {
  const args = process.argv.slice(2);
  const smoke = args.includes('--smoke');
  const named = RUNNABLE.filter(({ suffix }) => args.includes(suffix));
  const files = args.filter((arg) => arg.endsWith('.test.js'));
  for (const arg of args) {
    const known = arg === '--smoke' || files.includes(arg) || named.some(({ suffix }) => suffix === arg);
    if (!known) throw new Error(`"${arg}" is unknown`);
  }
  let failed = 0;
  for (const platform of named.length > 0 ? named : RUNNABLE) {
    const start = performance.now();
    const wanted = smoke ? undefined : files.length > 0 ? files : testFiles();
    const { version = 'no Node', result, passed = false } = test(platform, wanted);
    if (!passed) failed += 1;
    console.log(`${passed ? '✓' : '✗'} ${platform.suffix}, Node ${version}: ${result} (${seconds(start)})`);
  }
  if (failed > 0) process.exit(1);
}

main();
