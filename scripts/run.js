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

/** The programs that `runBeside` has started and that have not ended. @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/**
 * Like `run`, but this process goes on meanwhile. A failure of one such program ends the others as well.
 * @param {string} program
 * @param {string[]} args
 * @param {{ background?: boolean, shown?: boolean }} [options] background: the program only gets processor time that no
 * other needs; shown: its standard error is shown immediately
 * @returns {Promise<string>}
 */
function runBeside(program, args, { background = false, shown = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', shown ? 'inherit' : 'pipe'] });
    running.add(child);
    if (background && child.pid !== undefined) os.setPriority(child.pid, os.constants.priority.PRIORITY_LOW);
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
  for (const child of running) child.kill();
  process.exit(code);
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
