'use strict';
// `npm run test:platforms`: the binaries of `npm run build:all`, run on this Linux machine with a Node.js of their
// platform (see foreign.js). `-- linux-arm64-gnu` names platforms; `--smoke` sends a request there and back and leaves it
// at that; `--quick` takes the binaries of `npm run build:all -- --quick`; files of tests can be named too
// (`client/client.test.js`).
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { stripVTControlCharacters } = require('node:util');
const { binariesOf } = require('./build-all.js');
const { foreignNode } = require('./foreign.js');
const { testFiles } = require('./js-tests.js');
const { hostPlatform, platforms, root } = require('./platforms.js');
const { seconds } = require('./run.js');

const RUNNABLE = platforms().filter(({ os, cpu }) => os === 'linux' || (os === 'win32' && cpu === 'x64'));
const QUICK = process.argv.includes('--quick');
const BINARIES = binariesOf(QUICK);
const SMOKE_LIMIT = 120_000;
const SUITE_LIMIT = 3_600_000;
const FILE_LIMIT = 300_000;

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
    return {
      result: `there is no binary: npm run build:all -- ${QUICK ? '--quick ' : ''}${platform.suffix}`,
    };
  const { command, more } = foreignNode(platform);
  const [program, ...before] = command;
  const env = { ...process.env, ...more, ZMQ_OMDP_BINARY: binary };
  const log = path.join(BINARIES, `${platform.suffix}.log`);
  /** Output goes to a file, since wine's programs can't write to a pipe of Linux. @param {string[]} args @param {number} timeout */
  const node = (args, timeout) => {
    const file = fs.openSync(log, 'w');
    const { status } = spawnSync(program, [...before, ...args], {
      cwd: root,
      env,
      timeout,
      stdio: ['ignore', file, file],
    });
    fs.closeSync(file);
    return { passed: status === 0, output: stripVTControlCharacters(fs.readFileSync(log, 'utf8')) };
  };
  const started = node(['--version'], SMOKE_LIMIT);
  if (!started.passed) return { result: `${command.join(' ')} does not start` };
  const version = started.output.trim();
  const smoke = node(['-e', SMOKE], SMOKE_LIMIT);
  if (!smoke.passed) return { version, result: `the smoke test failed:\n${smoke.output}` };
  if (!files) return { version, result: 'smoke test passed', passed: true };

  // Beside the package, where a binary of this platform lies after a build.
  const beside = path.join(root, platform.file);
  const foreign = platform.suffix !== hostPlatform()?.suffix;
  if (foreign) fs.copyFileSync(binary, beside);
  const { passed, output } =
    platform.os === 'win32' ? oneByOne(node, files) : node(['scripts/js-tests.js', ...files], SUITE_LIMIT);
  if (foreign) fs.rmSync(beside);
  fs.writeFileSync(log, output);
  /** @param {string} what */
  const count = (what) => {
    const lines = output.matchAll(new RegExp(`^ℹ ${what} (\\d+)\\s*$`, 'gm'));
    return [...lines].reduce((sum, [, number]) => sum + Number(number), 0);
  };
  const counts = `${count('pass')} passed, ${count('fail')} failed, ${count('skipped')} skipped`;
  return { version, passed, result: passed ? counts : `${counts}: ${path.relative(root, log)}` };
}

/**
 * Runs each file by itself, since the runner of Node.js reads its files' results from pipes, which wine's programs can't
 * write to.
 * @param {(args: string[], timeout: number) => { passed: boolean, output: string }} node @param {string[]} files
 */
function oneByOne(node, files) {
  const results = files.map((file) => {
    const args = ['--test-reporter=spec', '--test-timeout=60000', path.join('__test__', file)];
    const { passed, output } = node(args, FILE_LIMIT);
    console.log(`${passed ? '✓' : '✗'} ${file}`);
    return { passed, output: `${passed ? '✓' : '✗'} ${file}\n${output}\n` };
  });
  return {
    passed: results.every(({ passed }) => passed),
    output: results.map(({ output }) => output).join(''),
  };
}

function main() {
  const args = process.argv.slice(2).filter((arg) => arg !== '--quick');
  const smoke = args.includes('--smoke');
  const named = RUNNABLE.filter(({ suffix }) => args.includes(suffix));
  const files = args.filter((arg) => arg.endsWith('.test.js'));
  const unknown = args.filter(
    (arg) => arg !== '--smoke' && !files.includes(arg) && !named.some(({ suffix }) => suffix === arg),
  );
  if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(', ')}`);
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
