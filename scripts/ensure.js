'use strict';
// Installs and builds what is missing or outdated: the first step of `npm run demo` and `npm test`. It
// requires only Node.js, so it works on a fresh clone.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { build, built } = require('./addon.js');
const { root } = require('./platforms.js');
const { npm, seconds } = require('./run.js');

/** Whether node_modules matches package-lock.json, by npm's own note of the installation. */
function installed() {
  try {
    const wanted = read('package-lock.json').packages;
    const found = read('node_modules/.package-lock.json').packages;
    return Object.keys(wanted).every((name) => {
      if (name === '') return true;
      if (found[name]) return found[name].version === wanted[name].version;
      return wanted[name].optional === true;
    });
  } catch {
    return false;
  }
}

/** @param {string} file */
function read(file) {
  return JSON.parse(fs.readFileSync(path.join(root, file), 'utf8'));
}

/** Whether a program can be started. @param {string} program */
function starts(program) {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/** The output of `cargo --version`, if cargo is usable: that of rustup fails without a toolchain. */
function rustVersion() {
  const { status, stdout } = spawnSync('cargo', ['--version'], { cwd: root, encoding: 'utf8' });
  return status === 0 ? (/\d+\.\d+/.exec(stdout)?.[0] ?? '') : '';
}

/** @param {string} version @param {string} wanted */
function isOlder(version, wanted) {
  const [[a, b], [c, d]] = [version, wanted].map((each) => each.split('.').map(Number));
  return a < c || (a === c && b < d);
}

/**
 * Ends this process with a one-line message, before any other step, if a build tool is missing.
 * @param {string[]} [components] further programs of Rust
 */
function requireBuildTools(components = []) {
  const missing = [];
  const wanted = /^rust-version = "(.*)"$/m.exec(fs.readFileSync(path.join(root, 'Cargo.toml'), 'utf8'))?.[1];
  const version = rustVersion();
  if (version === '') missing.push(`Rust ${wanted} or later (https://rustup.rs)`);
  else if (wanted && isOlder(version, wanted)) {
    missing.push(`Rust ${wanted} or later, not ${version} (https://rustup.rs)`);
  } else {
    const absent = components.filter((name) => !starts(name)).map((name) => name.replace('cargo-', ''));
    if (absent.length > 0) missing.push(`${absent.join(' and ')} (rustup component add ${absent.join(' ')})`);
  }
  // On Windows cargo itself finds Visual Studio, which is not in the PATH.
  if (process.platform !== 'win32') {
    const compilers = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
    if (!compilers.some(starts)) missing.push('a C++ compiler (such as g++)');
    if (!starts('make')) missing.push('make');
  }
  if (missing.length === 0) return;
  const list = missing.join('; ');
  console.error(
    `Building from source requires ${list}: install what is missing, then run this command again.`,
  );
  process.exit(1);
}

function ensureInstalled() {
  if (installed()) return;
  const start = performance.now();
  console.log('installing the development dependencies …');
  npm(['ci'], { progress: true });
  console.log(`installed in ${seconds(start)}`);
}

/** @param {'release' | 'debug'} [profile] */
function fits(profile) {
  const found = built();
  return found !== undefined && (!profile || found === profile);
}

/**
 * Builds the addon unless the present one is up to date; by default either profile is accepted.
 * @param {'release' | 'debug'} [profile]
 */
function ensureBuilt(profile) {
  if (fits(profile)) return;
  const start = performance.now();
  console.log('building the addon from source (the first time with libzmq, about two minutes) …');
  // The default is the debug build: the release build differs only in the optimisation of the crate, needs a
  // separate libzmq, and repeats the link-time optimisation of everything for every change.
  build(profile ?? 'debug', [], { quiet: !process.stderr.isTTY });
  console.log(`built in ${seconds(start)}`);
}

/** Ensures that a build can start. */
function ensureTools() {
  requireBuildTools();
  ensureInstalled();
}

/** @param {'release' | 'debug'} [profile] */
function ensure(profile) {
  if (!fits(profile)) requireBuildTools();
  ensureInstalled();
  ensureBuilt(profile);
}

if (require.main === module) ensure();

module.exports = { ensure, ensureInstalled, ensureTools, requireBuildTools };
