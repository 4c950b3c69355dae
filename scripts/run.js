'use strict';
// Runs other programs, for all scripts.
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { root } = require('./platforms.js');

/**
 * Runs a program in the repository and returns its standard output. If it fails, prints its whole output and
 * ends this process with its exit code: no script can continue after a failed step.
 * @param {string} program
 * @param {string[]} args
 * @param {import('node:child_process').SpawnSyncOptions & { progress?: boolean }} [options] progress: on a
 * terminal the program's standard error is shown immediately
 */
function run(program, args, { progress = false, ...options } = {}) {
  const shown = progress && process.stderr.isTTY;
  const result = spawnSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    ...(shown && { stdio: ['ignore', 'pipe', 'inherit'] }),
    ...options,
  });
  if (result.error) exitUnstarted(program, result.error);
  if (result.status !== 0) exitFailed(program, args, { ...result, output: [result.stdout, result.stderr] });
  return `${result.stdout ?? ''}`;
}

const WINDOWS = process.platform === 'win32';

/** The signals that end this process. @type {NodeJS.Signals[]} */
const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM'];

/** The programs that `runBeside` has started and that have not ended. @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/**
 * Like `run`, but this process goes on meanwhile. A failure of one such program ends the others as well.
 * @param {string} program
 * @param {string[]} args
 * @param {{ background?: boolean, shown?: boolean }} [options] background: other programs come first where they want the
 * processor; shown: its standard error is shown immediately
 * @returns {Promise<string>}
 */
function runBeside(program, args, { background = false, shown = false } = {}) {
  return new Promise((resolve) => {
    watchSignals();
    const child = spawn(program, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', shown ? 'inherit' : 'pipe'],
      // A group of its own, so that it can be ended with all that it has started.
      detached: !WINDOWS,
    });
    running.add(child);
    if (background) setLowPriority(child);
    /** @type {string[]} */
    const stdout = [];
    /** @type {string[]} */
    const output = [];
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      stdout.push(text);
      output.push(text);
    });
    child.stderr?.setEncoding('utf8').on('data', (text) => output.push(text));
    child.on('error', (error) => exitUnstarted(program, error));
    child.on('close', (status, signal) => {
      running.delete(child);
      if (status !== 0) exitFailed(program, args, { status, signal, output });
      resolve(stdout.join(''));
    });
  });
}

/** @param {string} program @param {NodeJS.ErrnoException} error @returns {never} */
function exitUnstarted(program, error) {
  console.error(hint(program, error));
  return exit(1);
}

/**
 * @param {string} program
 * @param {string[]} args
 * @param {{ status: number | null, signal: string | null, output: unknown[] }} result
 * @returns {never}
 */
function exitFailed(program, args, { status, signal, output }) {
  for (const text of output) process.stderr.write(`${text ?? ''}`);
  console.error(`\nfailed (${signal ?? `exit code ${status}`}): ${program} ${args.join(' ')}`);
  return exit(status || 1);
}

/** @param {number} code @returns {never} */
function exit(code) {
  for (const child of running) end(child);
  process.exit(code);
}

let isWatching = false;
function watchSignals() {
  if (isWatching) return;
  isWatching = true;
  for (const signal of SIGNALS) process.on(signal, () => exit(128 + os.constants.signals[signal]));
}

/** Ends a program and what it has started. @param {import('node:child_process').ChildProcess} child */
function end({ pid }) {
  if (pid === undefined) return;
  if (WINDOWS) spawnSync('taskkill', ['/T', '/F', '/PID', `${pid}`]);
  else ignoringErrors(() => process.kill(-pid));
}

/** @param {import('node:child_process').ChildProcess} child */
function setLowPriority({ pid }) {
  if (pid !== undefined) ignoringErrors(() => os.setPriority(pid, os.constants.priority.PRIORITY_LOW));
}

/** For programs that may have ended already. @param {() => void} work */
function ignoringErrors(work) {
  try {
    work();
  } catch {}
}

/** @param {string} program @param {NodeJS.ErrnoException} error */
function hint(program, error) {
  if (error.code === 'ENOENT' && ['cargo', 'rustc', 'rustfmt'].includes(program)) {
    return `${program} was not found. Building from source requires Rust (https://rustup.rs) and a C++ compiler.`;
  }
  return `${program} could not be started: ${error.message}`;
}

/**
 * Runs the program of a development dependency.
 * @param {string} dependency
 * @param {string} name
 * @param {string[]} args
 * @param {import('node:child_process').SpawnSyncOptions} [options]
 */
function tool(dependency, name, args, options) {
  const dir = path.join(root, 'node_modules', dependency);
  if (!fs.existsSync(dir)) {
    console.error(`${dependency} is not installed: run "npm ci" first.`);
    process.exit(1);
  }
  const { bin } = JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8'));
  return run(process.execPath, [path.join(dir, bin[name]), ...args], options);
}

/**
 * Runs npm by the present Node.js: on Windows npm is a batch file, which cannot be started without a shell.
 * @param {string[]} args
 * @param {import('node:child_process').SpawnSyncOptions & { progress?: boolean }} [options]
 */
function npm(args, options) {
  const cli = process.env.npm_execpath;
  return cli?.endsWith('.js') ? run(process.execPath, [cli, ...args], options) : run('npm', args, options);
}

/** @param {number} start a value of performance.now() */
function seconds(start) {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}

module.exports = { run, runBeside, tool, npm, seconds };
