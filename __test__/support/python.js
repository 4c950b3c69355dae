'use strict';
// Programs in Python, each in a virtual environment of its own that is made when it is first needed.
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const CACHE = path.join(__dirname, '..', '..', 'node_modules', '.cache');
const WINDOWS = process.platform === 'win32';

function succeeds(command, args) {
  return spawnSync(command, args, { stdio: 'ignore', timeout: 120_000 }).status === 0;
}

/** A version of Python from `[3, 8]` on and, if `below` is given, before that one. */
function find(below = [4]) {
  const tests = `import sys; sys.exit(not [3, 8] <= list(sys.version_info[:2]) < [${below}])`;
  const minors = [11, 10, 9, 8].map((minor) => `python3.${minor}`);
  return ['python3', 'python', ...minors].find((name) => succeeds(name, ['-c', tests]));
}

/**
 * @param {string} name of the environment
 * @param {string[][]} installs the arguments of `pip install`, one call after the other
 * @param {number[]} [below] the version of Python that is too new
 */
function environment(name, installs, below) {
  const folder = path.join(CACHE, name);
  const python = path.join(folder, WINDOWS ? 'Scripts' : 'bin', WINDOWS ? 'python.exe' : 'python');
  /** Written last, so that a half-made environment is made anew. */
  const done = path.join(folder, 'installed');
  return {
    /** @returns {string | undefined} why it is not there */
    missing() {
      if (fs.existsSync(done)) return undefined;
      const base = find(below);
      if (base === undefined)
        return `Python 3.8 or later${below ? `, before ${below.join('.')},` : ''} is not there`;
      fs.rmSync(folder, { recursive: true, force: true });
      if (!succeeds(base, ['-m', 'venv', folder])) return 'Python can make no virtual environment';
      const pip = ['-m', 'pip', 'install', '--disable-pip-version-check'];
      for (const args of installs) {
        if (!succeeds(python, [...pip, ...args]))
          return `Python's package index does not give ${args.at(-1)}`;
      }
      fs.writeFileSync(done, '');
      return undefined;
    },
    /** Runs it; gives the child, and a promise of how it ended and all it said. */
    run(t, ...args) {
      const child = spawn(python, args, { stdio: 'pipe' });
      t.after(() => child.kill('SIGKILL'));
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text) => {
          output += text;
        });
      }
      const ended = new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
      return { child, ended };
    },
  };
}

module.exports = { environment };
