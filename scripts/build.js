'use strict';
// `npm run build` and `npm run build:debug`: the napi CLI, then a note of what the binary was built from, by which
// ensure.js knows whether it still fits. Further arguments go to the CLI (`-- --target …`).
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { hostPlatform, platforms, root } = require('./platforms.js');
const { tool, seconds } = require('./run.js');

const SOURCES = ['Cargo.toml', 'Cargo.lock', 'build.rs', '.cargo', 'src', 'crates'];
const NOTE = path.join(root, 'target', 'built.json');

/** A digest of all that the binary is made of. */
function digest() {
  const hash = crypto.createHash('sha256');
  hash.update(`OMDP_LTO=${process.env.OMDP_LTO ?? ''}\0`);
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
  const names = fs.readdirSync(name).filter((entry) => entry !== 'target');
  return names.sort().flatMap((entry) => filesUnder(path.join(name, entry)));
}

/** Where the binary for a target lies; without a target, the one for this machine. @param {string} [triple] */
function binaryPath(triple) {
  const platform = triple ? platforms().find((p) => p.triple === triple) : hostPlatform();
  if (!platform)
    throw new Error(`not a target of this package: ${triple ?? `${process.platform} ${process.arch}`}`);
  return path.join(root, platform.file);
}

/** The profile of the binary that is there and fits the sources, or undefined. */
function built() {
  try {
    const note = JSON.parse(fs.readFileSync(NOTE, 'utf8'));
    const { mtimeMs, size } = fs.statSync(binaryPath());
    fs.accessSync(path.join(root, 'native.js'));
    fs.accessSync(path.join(root, 'native.d.ts'));
    const same = note.mtimeMs === mtimeMs && note.size === size && note.digest === digest();
    return same ? /** @type {'release' | 'debug'} */ (note.profile) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {'release' | 'debug'} profile
 * @param {string[]} [more] further arguments for the napi CLI
 * @param {{ quiet?: boolean }} [options] quiet: show what cargo says only when it fails
 */
function build(profile, more = [], { quiet = false } = {}) {
  const before = digest();
  const release = profile === 'release' ? ['--release'] : [];
  const files = ['--platform', '--js', 'native.js', '--dts', 'native.d.ts'];
  tool('@napi-rs/cli', 'napi', ['build', ...files, ...release, ...more], quiet ? {} : { stdio: 'inherit' });

  const target = more.indexOf('--target');
  const binary = binaryPath(target < 0 ? undefined : more[target + 1]);
  const { mtimeMs, size } = fs.statSync(binary);
  fs.writeFileSync(NOTE, JSON.stringify({ profile, digest: before, mtimeMs, size }));
  return binary;
}

if (require.main === module) {
  const [profile, ...more] = process.argv.slice(2);
  if (profile !== 'release' && profile !== 'debug') throw new Error('usage: build.js release|debug [more…]');
  const start = performance.now();
  const binary = build(profile, more);
  console.log(`${path.basename(binary)} (${profile}) built in ${seconds(start)}`);
}

module.exports = { build, built, binaryPath };
