'use strict';
// majortomo, the MDP implementation in Python, in a virtual environment that is made when it is first needed.
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const PACKAGES = ['majortomo==0.2.0', 'six'];
const FOLDER = path.join(__dirname, '..', '..', 'node_modules', '.cache', 'majortomo-0.2.0');
const BIN = process.platform === 'win32' ? 'Scripts' : 'bin';
const PYTHON = path.join(FOLDER, BIN, process.platform === 'win32' ? 'python.exe' : 'python');
/** Written last, so that a half-made environment is made anew. */
const DONE = path.join(FOLDER, 'installed');

function succeeds(command, args) {
  return spawnSync(command, args, { stdio: 'ignore', timeout: 120_000 }).status === 0;
}

/** @returns {string | undefined} why it is not there */
function missing() {
  if (fs.existsSync(DONE)) return undefined;
  const python = ['python3', 'python'].find((name) =>
    succeeds(name, ['-c', 'import sys; sys.exit(sys.version_info < (3, 8))']),
  );
  if (python === undefined) return 'Python 3 is not there';
  fs.rmSync(FOLDER, { recursive: true, force: true });
  if (!succeeds(python, ['-m', 'venv', FOLDER])) return 'Python can make no virtual environment';
  const install = ['-m', 'pip', 'install', '--disable-pip-version-check', ...PACKAGES];
  if (!succeeds(PYTHON, install)) return 'the Python package index is not there';
  fs.writeFileSync(DONE, '');
  return undefined;
}

/** Runs one of its modules; gives the child, and a promise of how it ended and all it said. */
function run(t, module, endpoint, ...args) {
  const child = spawn(PYTHON, ['-m', `majortomo.${module}`, '-b', endpoint, ...args], { stdio: 'pipe' });
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  const ended = new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
  return { child, ended };
}

module.exports = { missing, run };
