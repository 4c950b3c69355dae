'use strict';
// Installs the packages of other systems into a cache of the benchmark, because only the benchmark needs
// them.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { root } = require('../../scripts/platforms.js');
const { Skip } = require('../systems/skip.js');

const CACHE = path.join(root, 'node_modules', '.cache', 'zmq-omdp-bench');

/**
 * Installs the first available version, unless one of them is installed. No script of a package is run.
 * @param {string} name
 * @param {string[]} versions
 */
function install(name, versions) {
  const dir = path.join(CACHE, name);
  const found = installed(dir, name);
  if (found && versions.includes(found)) return { dir: path.join(dir, 'node_modules', name), version: found };
  let problem = '';
  for (const version of versions) {
    fs.rmSync(dir, { recursive: true, force: true });
    fs.mkdirSync(dir, { recursive: true });
    fs.writeFileSync(path.join(dir, 'package.json'), '{ "private": true }\n');
    console.log(`installing ${name} ${version} …`);
    const flags = ['--ignore-scripts', '--omit=dev', '--omit=optional', '--no-audit', '--no-fund'];
    const result = npm(['install', ...flags, `${name}@${version}`], dir);
    if (result === undefined)
      return { dir: path.join(dir, 'node_modules', name), version: installed(dir, name) };
    problem = result;
  }
  throw new Skip(`${name} ${versions[0]} can't be installed by npm (${problem})`);
}

function installed(dir, name) {
  try {
    return JSON.parse(fs.readFileSync(path.join(dir, 'node_modules', name, 'package.json'), 'utf8')).version;
  } catch {
    return undefined;
  }
}

/** @returns {string | undefined} the error */
function npm(args, cwd) {
  // npm is a batch file on Windows; npm_execpath is the script behind it.
  const cli = process.env.npm_execpath;
  const [program, first] = cli?.endsWith('.js') ? [process.execPath, [cli]] : ['npm', []];
  const result = spawnSync(program, [...first, ...args], { cwd, encoding: 'utf8', timeout: 300_000 });
  if (result.error) return result.error.message;
  if (result.status === 0) return undefined;
  return result.stderr.match(/npm error code (\S+)/)?.[1] ?? `exit code ${result.status}`;
}

module.exports = { CACHE, install };
