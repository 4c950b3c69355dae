'use strict';
// `npm test`: runs all checks and tests, the fast ones first. Prints the duration of each step, the last
// lines of test runners, and the whole output of a failing step; stops at the first failure. On a terminal it
// also shows the running steps, and the progress of Node's test runner.
//
// The steps of cargo run while the JavaScript tests run, which mostly wait and come first where both want the processor.
//
// All cargo steps use the target and the profile of the napi CLI's build, so they share one libzmq. The
// JavaScript tests use that binary, in which libzmq and all other dependencies are optimised: a release build
// would require a second libzmq and two more minutes, for tests that mostly wait for the network.
const fs = require('node:fs');
const path = require('node:path');
const { ensure, requireBuildTools } = require('./ensure.js');
const { runJsTests } = require('./js-tests.js');
const { root } = require('./platforms.js');
const { run, runBeside, tool, seconds } = require('./run.js');

const [first, ...rest] = process.argv.slice(2);
// `npm test -- tsc clippy` runs the steps whose names contain one of the words, `npm test -- --without node` the others.
const without = first === '--without';
const words = without ? rest : process.argv.slice(2);

/** @param {string} name @param {() => string | void | Promise<string | void>} work */
async function step(name, work) {
  if (words.length > 0 && words.some((word) => name.includes(word)) === without) return;
  const start = performance.now();
  if (process.stdout.isTTY) console.log(`… ${name}`);
  const closing = await work();
  console.log(`✓ ${name} (${seconds(start)})`);
  if (closing) console.log(closing.replace(/^/gm, '    '));
}

/** @param {string} output */
function closingOfCargo(output) {
  return output
    .split('\n')
    .filter((line) => line.startsWith('test result:'))
    .join('\n');
}

async function formats() {
  await step('biome', () => void tool('@biomejs/biome', 'biome', ['check', '--error-on-warnings']));
  await step('tsc', () => void tool('typescript', 'tsc', ['-p', 'tsconfig.json']));
  await step('cargo fmt', () => {
    run('cargo', ['fmt', '--check']);
    const folders = ['fuzz/fuzz_targets', 'models/tests'];
    const others = folders.flatMap((dir) =>
      fs.readdirSync(path.join(root, dir)).map((name) => `${dir}/${name}`),
    );
    const apart = ['crates/zmq-sys/build.rs', 'crates/zmq-sys/src/lib.rs', 'models/src/lib.rs', ...others];
    run('rustfmt', ['--check', '--edition', '2024', ...apart]);
  });
}

async function rust() {
  const host = run('rustc', ['-vV']).match(/^host: (.*)$/m)?.[1] ?? '';
  const target = ['--target', host, '--locked'];
  /** @param {string[]} args */
  const cargo = (args) => runBeside('cargo', args, { background: true });
  /** @param {string[]} what */
  const clippy = async (what) => {
    await cargo(['clippy', ...target, ...what, '--', '-D', 'warnings']);
  };
  /** @param {string[]} args */
  const test = async (args) => closingOfCargo(await cargo(['test', ...target, ...args]));
  // Tests and benchmarks are compiled with all features alone.
  const pure = ['--lib', '--no-default-features'];
  async function tests() {
    // With all features, and thus also the tests of wire and proto.
    await step('cargo test: all', () => test(['--lib']));
    await step('cargo test: zmq-sys', () => test(['-p', 'zmq-sys']));
  }
  async function lints() {
    await step('clippy: with node', () => clippy(['--all-targets', '--features', 'instructions']));
    await step('clippy: with io', () => clippy([...pure, '--features', 'io']));
    await step('clippy: wire and proto', () => clippy(pure));
    await step('clippy: what is fuzzed', () => clippy([...pure, '--features', 'fuzz']));
  }
  // The tests are compiled first, because cargo waits for itself. The longest one then runs beside clippy.
  await Promise.all([tests(), lints()]);
}

async function main() {
  const start = performance.now();
  requireBuildTools(['cargo-clippy', 'rustfmt']);
  ensure();
  await formats();
  const javascript = step('node --test', async () => (await runJsTests(process.execPath)).join('\n'));
  await Promise.all([rust(), javascript]);
  console.log(`all passed in ${seconds(start)}`);
}

main();
