'use strict';
// `npm run check:memory`: runs a large part of the JavaScript suite under valgrind's memcheck, each file in a
// separate process. Counts errors and lost blocks with a frame in the addon, and fails for any. Requires
// Linux, valgrind and an addon of `npm run build:debug`, which has line numbers. Takes some minutes;
// arguments select files.
//
// scripts/memcheck.supp lists known reports that are no errors of the addon, with reasons.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { root } = require('./platforms.js');
const { seconds } = require('./run.js');

/**
 * Brokers, workers, clients, streams, cancellation, starting and stopping, bad input, worker threads. Not
 * client/client: under valgrind a client is too slow to keep the order of its requests, which that file
 * checks.
 */
const FILES = [
  'broker/broker',
  'process/events',
  'worker/concurrency',
  'worker/handlers',
  'worker/worker',
  'worker/reply',
  'worker/reply-active',
  'worker/reply-stream',
  'client/values',
  'worker/shown-requests',
  'client/large-strings',
  'client/batches',
  'client/callbacks',
  'client/ends',
  'client/streams',
  'client/timeouts',
  'client/cancellation',
  'interop/old-worker',
  'interop/old-client',
  'process/worker-threads',
  'security/rules',
  'process/bad-input-batches',
  'process/bad-input-bodies',
  'process/bad-input-frames',
  'process/bad-input-nonsense',
];

const VALGRIND = [
  '--tool=memcheck',
  // V8 writes the code that it executes.
  '--smc-check=all-non-file',
  '--track-origins=no',
  '--leak-check=full',
  // No possible leaks: a hash table is referenced by a pointer into its middle, which memcheck cannot
  // classify.
  '--show-leak-kinds=definite',
  '--errors-for-leak-kinds=definite',
  '--num-callers=40',
  '--error-limit=no',
  `--suppressions=${path.join(__dirname, 'memcheck.supp')}`,
];

/** Frames in the addon: by the name of its file if it has no line, or by its sources. */
const OURS = /zmq-omdp\.[^/]*\.node|\bzmq_omdp\b|\bzmq::/;

/**
 * Splits a log into its reports, without the process ids.
 * @param {string} log
 */
function reports(log) {
  const lines = log.replace(/^(==|--)\d+(==|--) ?/gm, '');
  return lines.split(/\n\s*\n/).filter((report) => /^ +(at|by) 0x/m.test(report));
}

/** @param {string} file @param {string} log */
function check(file, log) {
  const start = performance.now();
  const args = [...VALGRIND, `--log-file=${log}`, process.execPath, path.join('__test__', `${file}.test.js`)];
  const { error, status, signal, stdout } = spawnSync('valgrind', args, {
    cwd: root,
    // A thread costs seconds and megabytes under valgrind.
    env: { OMDP_THREADS: '20', ...process.env },
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    // A test that takes this long is stuck.
    timeout: 1_200_000,
    killSignal: 'SIGKILL',
  });
  if (error) throw new Error(`valgrind: ${error.message}`);
  const all = reports(fs.readFileSync(log, 'utf8'));
  const ours = all.filter((report) => OURS.test(report));
  const failed = status === 0 ? '' : `, ended with ${signal ?? status}`;
  console.log(
    `${file}: ${ours.length} of ours, ${all.length - ours.length} others${failed} (${seconds(start)})`,
  );
  if (status !== 0)
    console.log(
      stdout
        .split('\n')
        .filter((line) => line.trim().startsWith('not ok'))
        .join('\n'),
    );
  for (const report of ours) console.log(report.replace(/^/gm, '    '));
  return { errors: ours.length, failed: status !== 0 };
}

function main() {
  const version = spawnSync('valgrind', ['--version'], { encoding: 'utf8' });
  if (version.error) {
    console.error('valgrind was not found: install the package valgrind');
    process.exit(1);
  }
  const start = performance.now();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'omdp-memory-'));
  const named = process.argv.slice(2);
  const files = named.length > 0 ? named : FILES;
  const results = files.map((file) => check(file, path.join(folder, `${file}.log`)));
  fs.rmSync(folder, { recursive: true });
  const errors = results.reduce((sum, result) => sum + result.errors, 0);
  // Valgrind runs one thread at a time, tens of times slower: a test may fail because of that, and is only
  // shown.
  const failed = results.filter((result) => result.failed).length;
  console.log(
    `${version.stdout.trim()}: ${errors} errors, ${failed} files with failed tests, in ${seconds(start)}`,
  );
  process.exitCode = errors > 0 ? 1 : 0;
}

main();
