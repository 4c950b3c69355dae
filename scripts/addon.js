'use strict';
// Builds the addon by the napi CLI, then stores a note of the sources, which shows later whether the binary is up
// to date.
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { hostPlatform, platforms, root } = require('./platforms.js');
const { tool } = require('./run.js');

const SOURCES = ['Cargo.toml', 'Cargo.lock', 'build.rs', '.cargo', 'src', 'crates'];
/** The crate that is nothing but the library, see its Cargo.toml. */
const CRATE = 'zmq-omdp-addon';
const NOTE = path.join(root, 'target', 'built.json');

/** A digest of all sources of the binary. */
function digest() {
  const hash = crypto.createHash('sha256');
  for (const file of SOURCES.flatMap((name) => filesUnder(path.join(root, name)))) {
    hash.update(`${path.relative(root, file).split(path.sep).join('/')}\0`);
    hash.update(fs.readFileSync(file));
    hash.update('\0');
  }
  return hash.digest('hex');
}

/** @param {string} name @returns {string[]} */
function filesUnder(name) {
  if (!fs.existsSync(name)) return [];
  if (fs.statSync(name).isFile()) return [name];
  // zig leaves an object file for a while, see cross.js.
  const names = fs.readdirSync(name).filter((entry) => entry !== 'target' && !entry.endsWith('.o'));
  return names.sort().flatMap((entry) => filesUnder(path.join(name, entry)));
}

/** The platform of a target; by default that of this machine. @param {string} [triple] */
function platformOf(triple) {
  const platform = triple ? platforms().find((p) => p.triple === triple) : hostPlatform();
  if (!platform)
    throw new Error(`not a target of this package: ${triple ?? `${process.platform} ${process.arch}`}`);
  return platform;
}

/** The path of the binary for a target. @param {string} [triple] */
function binaryPath(triple) {
  return path.join(root, platformOf(triple).file);
}

/** The note of the last build. @returns {Note} */
function readNote() {
  return JSON.parse(fs.readFileSync(NOTE, 'utf8'));
}

/** The profile of the present binary, if it is up to date; otherwise undefined. */
function built() {
  try {
    const note = readNote();
    const { mtimeMs, size } = fs.statSync(binaryPath());
    fs.accessSync(path.join(root, 'native.d.ts'));
    const same = note.mtimeMs === mtimeMs && note.size === size && note.digest === digest();
    return same ? note.profile : undefined;
  } catch {
    return undefined;
  }
}

/** @param {number} bytes */
function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(2)} MB`;
}

/**
 * @param {'release' | 'debug'} profile
 * @param {string[]} [more] further arguments for the napi CLI
 * @param {{ quiet?: boolean }} [options] quiet: shows cargo's output only after a failure
 */
function build(profile, more = [], { quiet = false } = {}) {
  const before = digest();
  const target = more.indexOf('--target');
  const platform = platformOf(target < 0 ? undefined : more[target + 1]);
  const binary = path.join(root, platform.file);
  const release = profile === 'release' ? ['--release'] : [];
  const files = ['--output-dir', root, '--platform', '--no-js', '--dts', 'native.d.ts', '--no-const-enum'];
  tool('@napi-rs/cli', 'napi', ['build', '--package', CRATE, ...files, ...release, ...more], {
    ...(!quiet && { stdio: 'inherit' }),
  });

  const { mtimeMs, size } = fs.statSync(binary);
  fs.writeFileSync(NOTE, JSON.stringify({ profile, digest: before, mtimeMs, size }));
  if (profile === 'release') console.log(`${platform.file}: ${megabytes(size)}`);
  return binary;
}

/**
 * @typedef {{ profile: 'release' | 'debug', digest: string, mtimeMs: number, size: number }} Note
 */

module.exports = { CRATE, build, built, binaryPath, readNote };
