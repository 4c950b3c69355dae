'use strict';
// Installs and builds what is missing, and nothing twice: the first step of `npm run demo` and `npm test`. It needs
// nothing but Node, so it runs on a fresh clone.
const fs = require('node:fs');
const path = require('node:path');
const { build, built } = require('./build.js');
const { root } = require('./platforms.js');
const { npm, seconds } = require('./run.js');

/** Whether node_modules is what package-lock.json asks for, by npm's own note of what it installed. */
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

function ensureInstalled() {
  if (installed()) return;
  const start = performance.now();
  console.log('installing the development dependencies …');
  npm(['ci']);
  console.log(`installed in ${seconds(start)}`);
}

/**
 * Builds the addon unless there is one that fits the sources; by default either profile will do.
 * @param {'release' | 'debug'} [profile]
 */
function ensureBuilt(profile) {
  const found = built();
  if (found && (!profile || found === profile)) return;
  const start = performance.now();
  console.log('building the addon from source (the first time with libzmq, about two minutes) …');
  // Not the release build where none is asked for: it differs only in how far our own Rust is optimised, takes a
  // libzmq of its own, and every changed line costs it the link-time optimisation of everything.
  build(profile ?? 'debug', [], { quiet: true });
  console.log(`built in ${seconds(start)}`);
}

/** @param {'release' | 'debug'} [profile] */
function ensure(profile) {
  ensureInstalled();
  ensureBuilt(profile);
}

if (require.main === module) ensure();

module.exports = { ensure };
