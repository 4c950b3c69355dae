'use strict';
// `npm test`: runs all checks and tests, the fast ones first. Prints the duration of each step, the last
// lines of test runners, and the whole output of a failing step; stops at the first failure. On a terminal it
// also shows the running step, and the progress of cargo and of Node's test runner.
//
// All cargo steps use the target and the profile of the napi CLI's build, so they share one libzmq. The
// JavaScript tests use that binary, in which libzmq and all other dependencies are optimised: a release build
// would require a second libzmq and two more minutes, for tests that mostly wait for the network.
const fs = require('node:fs');
const path = require('node:path');
const { ensure, requireBuildTools } = require('./ensure.js');
const { runJsTests } = require('./js-tests.js');
const { root } = require('./platforms.js');
const { run, tool, seconds } = require('./run.js');

const [first, ...rest] = process.argv.slice(2);
// `npm test -- tsc clippy` runs the steps whose names contain one of the words, `npm test -- --without node` the others.
const without = first === '--without';
const words = without ? rest : process.argv.slice(2);

/** @param {string} name @param {() => string | void} work */
function step(name, work) {
  if (words.length > 0 && words.some((word) => name.includes(word)) === without) return;
  const start = performance.now();
  if (process.stdout.isTTY) console.log(`… ${name}`);
  const closing = work();
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

function main() {
  const start = performance.now();
  requireBuildTools(['cargo-clippy', 'rustfmt']);
  ensure();

  step('biome', () => void tool('@biomejs/biome', 'biome', ['check', '--error-on-warnings']));
  step('tsc', () => void tool('typescript', 'tsc', ['-p', 'tsconfig.json']));
  step('cargo fmt', () => {
    run('cargo', ['fmt', '--check']);
    const folders = ['fuzz/fuzz_targets', 'models/tests'];
    const others = folders.flatMap((dir) =>
      fs.readdirSync(path.join(root, dir)).map((name) => `${dir}/${name}`),
    );
    const apart = ['crates/zmq-sys/build.rs', 'crates/zmq-sys/src/lib.rs', 'models/src/lib.rs', ...others];
    run('rustfmt', ['--check', '--edition', '2024', ...apart]);
  });

  const host = run('rustc', ['-vV']).match(/^host: (.*)$/m)?.[1] ?? '';
  const pure = ['--no-default-features'];
  const withIo = [...pure, '--features', 'io'];
  const target = ['--target', host, '--locked'];
  /** @param {string[]} features */
  const clippy = (features) => {
    const args = ['clippy', ...target, '--all-targets', ...features, '--', '-D', 'warnings'];
    run('cargo', args, { progress: true });
  };
  /** @param {string[]} args */
  const test = (args) => closingOfCargo(run('cargo', ['test', ...target, ...args], { progress: true }));
  step('clippy: wire and proto', () => clippy(pure));
  step('clippy: what is fuzzed', () => clippy([...pure, '--features', 'fuzz']));
  step('clippy: with io', () => clippy(withIo));
  step('clippy: with node', () => clippy(['--features', 'instructions']));
  // With all features, and thus also the tests of wire and proto.
  step('cargo test: all', () => test([]));
  step('cargo test: zmq-sys', () => test(['-p', 'zmq-sys']));
  step('node --test', () => runJsTests(process.execPath).join('\n'));
  console.log(`all passed in ${seconds(start)}`);
}

main();
