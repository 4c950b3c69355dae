'use strict';
// Runs other programs, for all scripts.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
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
  if (result.error) {
    console.error(hint(program, /** @type {NodeJS.ErrnoException} */ (result.error)));
    process.exit(1);
  }
  if (result.status !== 0) {
    process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
    console.error(
      `\nfailed (${result.signal ?? `exit code ${result.status}`}): ${program} ${args.join(' ')}`,
    );
    process.exit(result.status || 1);
  }
  return `${result.stdout ?? ''}`;
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

module.exports = { run, tool, npm, seconds };
