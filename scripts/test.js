'use strict';
// `npm test`: everything that has to hold before a change is good, the cheap steps first. Prints for each step how
// long it took, for the test runners their closing lines, and for a failing step all it said; stops at the first. On a
// terminal it also shows which step runs, and how far cargo and node's test runner are.
//
// All cargo steps name the target that the napi CLI builds for and its profile, so they share one libzmq. The
// JavaScript tests run against that same binary, of which libzmq and every other dependency are optimised: a
// release build would cost a second libzmq and two minutes more, to run tests that wait for the network anyway.
const fs = require('node:fs');
const path = require('node:path');
const { ensure, requireBuildTools } = require('./ensure.js');
const { runJsTests } = require('./js-tests.js');
const { root } = require('./platforms.js');
const { run, tool, seconds } = require('./run.js');

const only = process.argv.slice(2);

/** @param {string} name @param {() => string | void} work */
function step(name, work) {
  if (only.length > 0 && !only.some((part) => name.includes(part))) return;
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
  requireBuildTools();
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
  // With all features, so it has the tests of wire and proto too.
  step('cargo test: all', () => test([]));
  step('cargo test: zmq-sys', () => test(['-p', 'zmq-sys']));
  step('node --test', () => runJsTests(process.execPath).join('\n'));
  console.log(`all passed in ${seconds(start)}`);
}

main();
